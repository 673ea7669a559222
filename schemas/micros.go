package schemas

import (
	"strconv"
	"strings"
	"time"
)

// Micros is a time in microseconds since 1970-01-01 UTC; 0 stands for none. Events
// hold times of the years 1 to 9999, which is what RFC 3339 can say.
type Micros int64

const (
	minMicros Micros = -62135596800_000000 // 0001-01-01T00:00:00Z
	maxMicros Micros = 253402300799_999999 // 9999-12-31T23:59:59.999999Z
	rfc3339          = "2006-01-02T15:04:05.999999Z07:00"
)

// MicrosOf is t, cut to microseconds.
func MicrosOf(t time.Time) Micros { return Micros(t.UnixMicro()) }

// Time is m in UTC.
func (m Micros) Time() time.Time { return time.UnixMicro(int64(m)).UTC() }

// String is m in RFC 3339, with as many digits behind the second as it needs.
func (m Micros) String() string { return string(m.append(nil)) }

func (m Micros) append(b []byte) []byte { return m.Time().AppendFormat(b, rfc3339) }

func (m Micros) inRange() bool { return m >= minMicros && m <= maxMicros }

// parseRFC3339 returns the problem, or "" where there is none.
func parseRFC3339(s string) (Micros, string) {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return 0, "wants a time as RFC 3339, such as 2006-01-02T15:04:05Z, or a number of seconds or milliseconds since 1970"
	}
	if year := t.UTC().Year(); year < 1 || year > 9999 {
		return 0, "the time is outside of the years 1 to 9999"
	}
	return MicrosOf(t), ""
}

// A number below each of these is taken for seconds, milliseconds, microseconds, else
// nanoseconds. The bounds are the same moment, the year 5138, so that the units overlap
// only before March 1973.
const (
	secondsBelow = 1e11
	millisBelow  = 1e14
	microsBelow  = 1e17
)

// parseEpoch reads the text of a JSON number. It keeps every digit down to the
// microsecond: a float64 of seconds would lose them.
func parseEpoch(s string) (Micros, string) {
	whole, fraction, _ := strings.Cut(s, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || strings.ContainsAny(fraction, "eE") {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || f < -(1<<62) || f > 1<<62 {
			return 0, "the time is outside of the years 1 to 9999"
		}
		whole, fraction, _ = strings.Cut(strconv.FormatFloat(f, 'f', -1, 64), ".")
		n, _ = strconv.ParseInt(whole, 10, 64)
	}
	m := epochMicros(n, fraction, whole[0] == '-')
	if !m.inRange() {
		return 0, "the time is outside of the years 1 to 9999"
	}
	return m, ""
}

func epochMicros(n int64, fraction string, negative bool) Micros {
	size := uint64(n)
	if n < 0 {
		size = -size
	}
	switch {
	case size < secondsBelow:
		return Micros(n*1_000_000) + fractionMicros(fraction, 100_000, negative)
	case size < millisBelow:
		return Micros(n*1_000) + fractionMicros(fraction, 100, negative)
	case size < microsBelow:
		return Micros(n)
	default:
		return Micros(n / 1_000)
	}
}

// fractionMicros is a decimal fraction in microseconds, cut; its first digit is worth
// so many.
func fractionMicros(fraction string, worth int64, negative bool) Micros {
	var n int64
	for i := 0; i < len(fraction) && worth > 0; i++ {
		n += int64(fraction[i]-'0') * worth
		worth /= 10
	}
	if negative {
		n = -n
	}
	return Micros(n)
}
