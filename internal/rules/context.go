package rules

import (
	"strings"
	"unicode/utf8"
)

// hint is what a word says of a number behind it.
type hint uint8

const (
	hintPhone    hint = iota + 1
	hintCall          // a word that phones are called by; as a name, it is of something else
	hintAddress       // an IP address
	hintVersion       // a version, a section, a revision: never an address
	hintIdentity      // the number of a thing: hardly a phone
	hintNothing       // a word between: it is the one before it that counts
)

// hints are whole words, in lower case. A part of a word says nothing: there is a cell in
// cancelled, and a tel in hotel.
var hints = func() map[string]hint {
	m := map[string]hint{}
	for h, words := range map[hint]string{
		hintPhone: `phone phones telephone telephones tel tels tél téléphone telefon telefono teléfono telefone telefax fax faxes mobile
			mobil mob cell cellphone cellular handy ph pager beeper gsm sms whatsapp hotline helpline voicemail callback telnr rufnummer telefonnummer handynummer faxnummer phonenumber phoneno telno
			mobilephone mobilenumber mobileno cellnumber homephone workphone officephone faxnumber msisdn`,
		hintCall: `call calls calling dial dialing dialling answering faxing`,
		hintAddress: `ip ips ipv4 ipaddr ipaddress addr address addresses host hosts server client src dst source destination
			gateway dns ns nameserver ping traceroute whois peer remote login router subnet proxy`,
		hintVersion: `version versions ver v rev revision revisions release releases rel build section sections sec chapter clause
			paragraph para appendix figure fig kernel firmware oid`,
		hintIdentity: `isbn issn ean upc doi bill invoice order orders ref reference account acct id ids ticket case serial sku part
			tracking item receipt contract policy claim vat ssn zip issue bug pid postcode patent product article job session
			licence license passport iban pin`,
		hintNothing: `number numbers num no nr nos is are was at on of me us him her them back to now today the my our your his its and or
			home work office business day daytime evening night direct line toll free local uk intl international desk o w h m c p f
			please here this following private main either x in by via und oder et ou ist unter`,
	} {
		for _, w := range strings.Fields(words) {
			m[w] = h
		}
	}
	return m
}()

// maxWord bounds a word of hints, maxBetween how many words may stand between one and the
// number.
const (
	maxWord    = 16
	maxBetween = 4
)

// contextAt is what the words before i say of the number there, on its own line. lead is
// what is said before s begins.
func contextAt(s string, i int, lead hint) hint {
	at := i
	for range maxBetween {
		for at > 0 && (s[at-1] == '_' || !wordBefore(s, at)) {
			if s[at-1] == '\n' {
				return 0
			}
			at--
		}
		if at == 0 {
			return lead
		}
		end := at
		for at > 0 && s[at-1] != '_' && !isDigit(s[at-1]) && wordBefore(s, at) {
			_, n := utf8.DecodeLastRuneInString(s[:at])
			at -= n
		}
		if end-at > maxWord || at > 0 && isDigit(s[at-1]) {
			return 0
		}
		var lower [maxWord]byte
		for i := at; i < end; i++ {
			if lower[i-at] = s[i]; isLetter(s[i]) {
				lower[i-at] |= 0x20
			}
		}
		if h := hints[string(lower[:end-at])]; h != hintNothing {
			return h
		}
	}
	return 0
}

// labelled says whether the word behind r speaks of phones, as on a card: "5671 234 fax".
func labelled(s string, r *run) bool {
	if r.n < 7 && r.groups < 2 {
		return false
	}
	at := r.end
	for at < len(s) && at-r.end < 3 && strings.IndexByte(" -(,", s[at]) >= 0 {
		at++
	}
	end := at
	var lower [maxWord]byte
	for end < len(s) && isLetter(s[end]) && end-at < maxWord {
		lower[end-at] = s[end] | 0x20
		end++
	}
	switch string(lower[:end-at]) {
	case "fax", "telefax", "office", "phone", "tel", "telephone", "mobile", "cell", "mob", "voice", "pager", "home", "work", "direct":
	default:
		return false
	}
	// The word ends its line or clause: "1 000 000 office workers" are no number.
	if wordAt(s, end) {
		return false
	}
	return end >= len(s) || s[end] != ' ' || end+1 >= len(s) || !wordAt(s, end+1) || isDigit(s[end+1])
}

// keyHint is what the name of a value says of it: phone_number, homePhone, ip.
func keyHint(key string) hint {
	if len(key) > 4*maxWord {
		return 0
	}
	var buf [5 * maxWord]byte
	spaced := buf[:0]
	for i := range len(key) {
		c := key[i]
		if isLetter(c) && c < 'a' && i > 0 && key[i-1] >= 'a' && key[i-1] <= 'z' && len(spaced) < cap(spaced)-1 {
			spaced = append(spaced, ' ')
		}
		if len(spaced) == cap(spaced) {
			return 0
		}
		if isDigit(c) && i == len(key)-1 { // phone1, phone2
			continue
		}
		spaced = append(spaced, c)
	}
	words := string(spaced)
	if h := contextAt(words, len(words), 0); h != hintCall {
		return h
	}
	return 0
}
