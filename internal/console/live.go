package console

import (
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Bounds of the live view.
const (
	// fallbackWidth is taken where the terminal does not say how wide it is.
	fallbackWidth = 80
	// plainEvery is how often a view that is no terminal repeats itself.
	plainEvery = 5 * time.Second
	// drawEvery bounds how often a terminal is drawn.
	drawEvery = 50 * time.Millisecond
)

// IsTerminal says whether lines may be drawn over on w: it is a terminal, and neither
// NO_COLOR nor TERM=dumb asks for plain text. getenv is os.Getenv.
func IsTerminal(w io.Writer, getenv func(string) string) bool {
	if getenv("NO_COLOR") != "" || getenv("TERM") == "dumb" {
		return false
	}
	_, ok := terminalWidth(w)
	return ok
}

func terminalWidth(w io.Writer) (int, bool) {
	f, ok := w.(*os.File)
	if !ok {
		return 0, false
	}
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0, false
	}
	if size.Col == 0 {
		return fallbackWidth, true
	}
	return int(size.Col), true
}

// Bar draws how much of total is done, width cells wide in all. A total of 0 or less is
// not known, and draws an empty bar.
func Bar(done, total int64, width int) string {
	share := 0.0
	if total > 0 {
		share = min(1, max(0, float64(done)/float64(total)))
	}
	// In eighths, so that a long stretch of work is seen to move.
	eighths := int(math.Floor(share * float64(width*8)))
	bar := strings.Repeat("█", eighths/8)
	if part := eighths % 8; part > 0 {
		bar += string([]rune("▏▎▍▌▋▊▉")[part-1])
	}
	return bar + strings.Repeat("░", max(0, width-Width(bar)))
}

// Live is a view of several lines that is drawn over and over: in place on a terminal;
// else as plain lines, when they changed, every few seconds. It is safe for concurrent
// use.
type Live struct {
	w        io.Writer
	terminal bool
	clock    func() time.Time

	mu    sync.Mutex
	drawn int // lines on the terminal that the next draw goes over
	shown []string
	at    time.Time
	err   error
}

// NewLive prepares a view on w. clock is time.Now.
func NewLive(w io.Writer, terminal bool, clock func() time.Time) *Live {
	return &Live{w: w, terminal: terminal, clock: clock}
}

// Update shows lines in place of those before. It may be called at any rate: what comes
// too soon is not drawn.
func (l *Live) Update(lines ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.update(lines, false)
}

// Println writes a line that stays, above the view.
func (l *Live) Println(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.terminal {
		l.write(Clean(line) + "\n")
		return
	}
	l.write(l.erase() + Clean(line) + "\n" + l.block(l.shown))
	l.drawn = len(l.shown)
}

// Close shows lines for the last time, whenever the last update was, and leaves them
// standing. It returns the first error of writing.
func (l *Live) Close(lines ...string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.update(lines, true)
	l.drawn = 0
	if l.err != nil {
		return fmt.Errorf("console: write view: %w", l.err)
	}
	return nil
}

func (l *Live) update(lines []string, last bool) {
	now, every := l.clock(), plainEvery
	if l.terminal {
		every = drawEvery
	}
	if !last && !l.at.IsZero() && now.Sub(l.at) < every || slices.Equal(lines, l.shown) {
		return
	}
	l.at, l.shown = now, slices.Clone(lines)
	if !l.terminal {
		for _, line := range lines {
			l.write(Clean(line) + "\n")
		}
		return
	}
	l.write(l.erase() + l.block(lines))
	l.drawn = len(lines)
}

// erase goes up to the view's first line and clears all below.
func (l *Live) erase() string {
	if l.drawn == 0 {
		return ""
	}
	return fmt.Sprintf("\x1b[%dA\r\x1b[J", l.drawn)
}

// block cuts each line to the terminal's width: one that wrapped would be drawn over
// wrongly.
func (l *Live) block(lines []string) string {
	width, ok := terminalWidth(l.w)
	if !ok {
		width = fallbackWidth
	}
	var b strings.Builder
	for _, line := range lines {
		b.WriteString(Cut(Clean(line), width-1) + "\n")
	}
	return b.String()
}

func (l *Live) write(s string) {
	if _, err := io.WriteString(l.w, s); err != nil && l.err == nil {
		l.err = err
	}
}
