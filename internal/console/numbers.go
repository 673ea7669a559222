package console

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// Count writes a number with its thousands apart: 1,234,567.
func Count(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// Bytes writes a size with three digits: 512 B, 1.50 MiB, 12.3 GiB.
func Bytes(n int64) string {
	const step = 1024
	if n > -step && n < step {
		return fmt.Sprintf("%d B", n)
	}
	f, unit := float64(n)/step, 0
	units := []string{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	for math.Abs(f) >= step-.5 && unit < len(units)-1 {
		f /= step
		unit++
	}
	return threeDigits(f) + " " + units[unit]
}

// Duration writes a span in the units that a person reads it in: 840 µs, 12.3 ms,
// 4.50 s, 1m 32s, 3h 05m, 2d 04h.
func Duration(d time.Duration) string {
	if d < 0 {
		return "-" + Duration(-d)
	}
	switch {
	case d < time.Microsecond:
		return fmt.Sprintf("%d ns", d)
	case d < time.Millisecond:
		return threeDigits(float64(d)/float64(time.Microsecond)) + " µs"
	case d < time.Second:
		return threeDigits(float64(d)/float64(time.Millisecond)) + " ms"
	case d < time.Minute-time.Second/20: // 59.95 s reads as a minute
		return threeDigits(d.Seconds()) + " s"
	case d < time.Hour-time.Second/2:
		s := int64(math.Round(d.Seconds()))
		return fmt.Sprintf("%dm %02ds", s/60, s%60)
	case d < 24*time.Hour-time.Minute/2:
		m := int64(math.Round(d.Minutes()))
		return fmt.Sprintf("%dh %02dm", m/60, m%60)
	}
	h := int64(math.Round(d.Hours()))
	return fmt.Sprintf("%dd %02dh", h/24, h%24)
}

// Percent writes a share of 1: 97.3 %. What is no share is a dash.
func Percent(share float64) string {
	if math.IsNaN(share) || math.IsInf(share, 0) {
		return "-"
	}
	return strconv.FormatFloat(100*share, 'f', 1, 64) + " %"
}

// threeDigits writes a number of up to four digits before the point.
func threeDigits(f float64) string {
	switch a := math.Abs(f); {
	case a < 9.995:
		return strconv.FormatFloat(f, 'f', 2, 64)
	case a < 99.95:
		return strconv.FormatFloat(f, 'f', 1, 64)
	}
	return strconv.FormatFloat(f, 'f', 0, 64)
}
