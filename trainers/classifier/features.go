package classifier

import (
	"math"
	"slices"
	"unicode"
	"unicode/utf8"
)

// feature is a hashed n-gram with its weight in a text.
type feature struct {
	hash  uint32
	value float32
}

// extractor turns texts into features; it is used by one goroutine.
type extractor struct {
	cfg    Config
	hashes []uint32
	out    []feature
	word   []byte
}

// features returns the text's features by hash, at unit length; they are valid until the
// next call. A text without tokens has none.
func (x *extractor) features(text string) []feature {
	x.hashes = x.hashes[:0]
	var before uint64
	tokens := 0
	for i := 0; i < len(text) && tokens < x.cfg.MaxTokens; {
		n, isToken := x.token(text[i:])
		i += n
		if !isToken {
			continue
		}
		tokens++
		h := hash(x.word)
		x.hashes = append(x.hashes, uint32(h))
		if x.cfg.WordNgrams > 1 && before != 0 {
			x.hashes = append(x.hashes, uint32(mix(before*31+h)))
		}
		before = h
		if x.cfg.CharMin > 0 && len(x.word) > 1 {
			x.characters()
		}
	}
	slices.Sort(x.hashes)
	x.out = x.out[:0]
	var sum float64
	for i := 0; i < len(x.hashes); {
		j := i
		for j < len(x.hashes) && x.hashes[j] == x.hashes[i] {
			j++
		}
		v := 1 + math.Log(float64(j-i))
		sum += v * v
		x.out = append(x.out, feature{x.hashes[i], float32(v)})
		i = j
	}
	if sum > 0 {
		scale := float32(1 / math.Sqrt(sum))
		for i := range x.out {
			x.out[i].value *= scale
		}
	}
	return x.out
}

// token reads what text begins with: a word of letters and digits in lower case, a run
// of one other sign as that sign, or space, which is no token.
func (x *extractor) token(text string) (n int, isToken bool) {
	x.word = x.word[:0]
	c, size := decode(text)
	if !wordly(c) {
		if unicode.IsSpace(c) {
			return size, false
		}
		x.word = append(x.word, text[:size]...)
		for n = size; n+size <= len(text) && text[n:n+size] == text[:size]; {
			n += size
		}
		return n, true
	}
	if unicode.In(c, unicode.Han, unicode.Hiragana, unicode.Katakana) { // no spaces between words
		x.word = append(x.word, text[:size]...)
		return size, true
	}
	for n < len(text) {
		c, size = decode(text[n:])
		if !wordly(c) && c != '\'' && !unicode.IsMark(c) {
			break
		}
		if c < utf8.RuneSelf {
			if c >= 'A' && c <= 'Z' {
				c |= 0x20
			}
			x.word = append(x.word, byte(c))
		} else {
			x.word = utf8.AppendRune(x.word, unicode.ToLower(c))
		}
		n += size
	}
	return n, true
}

func decode(s string) (rune, int) {
	if c := s[0]; c < utf8.RuneSelf {
		return rune(c), 1
	}
	return utf8.DecodeRuneInString(s)
}

func wordly(c rune) bool {
	if c < utf8.RuneSelf {
		return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9'
	}
	return unicode.IsLetter(c) || unicode.IsDigit(c)
}

// characters adds the character n-grams of the word, its ends marked.
func (x *extractor) characters() {
	w := append(append(append(make([]byte, 0, len(x.word)+2), '<'), x.word...), '>')
	for i := range w {
		if !utf8.RuneStart(w[i]) {
			continue
		}
		end, runes := i, 0
		for end < len(w) && runes < x.cfg.CharMax {
			_, size := utf8.DecodeRune(w[end:])
			end += size
			if runes++; runes >= x.cfg.CharMin && end-i < len(w) {
				x.hashes = append(x.hashes, uint32(mix(hash(w[i:end])+1)))
			}
		}
	}
}

// hash is FNV-1a of 64 bits, mixed so that any of its bits may be taken.
func hash(b []byte) uint64 {
	h := uint64(14695981039346656037)
	for _, c := range b {
		h = (h ^ uint64(c)) * 1099511628211
	}
	return mix(h)
}

// mix spreads every bit over all (Pelle Evensen's rrmxmx family, one round of it).
func mix(h uint64) uint64 {
	h ^= h >> 32
	h *= 0xd6e8feb86659fd93
	return h ^ h>>32
}
