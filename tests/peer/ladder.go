package peer

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"
)

// Ladder notes the messages that the peers of one test sent and received, in time order, and prints them as a message
// ladder when the test has failed.
type Ladder struct {
	mu    sync.Mutex
	start time.Time
	names map[netip.AddrPort]string
	steps []step
	bytes bool
}

type step struct {
	at   time.Duration
	peer string
	out  bool
	far  netip.AddrPort
	text string
	raw  []byte
}

// NewLadder begins a ladder that prints itself at the end of a failed test.
func NewLadder(t testing.TB) *Ladder {
	l := &Ladder{start: time.Now(), names: map[netip.AddrPort]string{}}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("message ladder:\n%s", end(l.String()))
		}
	})
	return l
}

// end is the end of a text that nobody would read to the end.
func end(ladder string) string {
	const most = 400
	lines := strings.SplitAfter(ladder, "\n")
	if len(lines) <= most {
		return ladder
	}
	return fmt.Sprintf("(%d lines left out)\n", len(lines)-most) + strings.Join(lines[len(lines)-most:], "")
}

// Whole makes the ladder print whole messages instead of one line each.
func (l *Ladder) Whole() { l.bytes = true }

// Name gives an address a name in the print; with port 0 every port there that has no name of its own.
func (l *Ladder) Name(at netip.AddrPort, name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.names[at] = name
}

// Note adds a line of the test's own: "hold", "SRS killed". Any goroutine.
func (l *Ladder) Note(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.steps = append(l.steps, step{at: time.Since(l.start), text: "-- " + fmt.Sprintf(format, args...)})
}

func (l *Ladder) message(peer string, out bool, far netip.AddrPort, m *Message) {
	number, method := m.CSeq()
	text := m.Start
	if !m.Request() {
		text += "  (" + method + ")"
	}
	text += fmt.Sprintf("  [%d %s", number, shorten(m.CallID()))
	if len(m.Body) > 0 {
		text += fmt.Sprintf(", %s %d bytes", m.Get("Content-Type"), len(m.Body))
		if dir := directions(m); dir != "" {
			text += ", " + dir
		}
	}
	text += "]"
	raw := m.Raw
	if raw == nil {
		raw = m.Bytes()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.steps = append(l.steps, step{time.Since(l.start), peer, out, far, text, raw})
}

// directions sums up an SDP body: one "audio 20000 sendonly" per m-line.
func directions(m *Message) string {
	var lines []string
	for _, media := range ParseSDP(m.SDP()).Media {
		lines = append(lines, fmt.Sprintf("%s %d %s", media.Kind, media.Port, media.Direction))
	}
	return strings.Join(lines, " / ")
}

func shorten(s string) string {
	if len(s) > 12 {
		return s[:12] + "…"
	}
	return s
}

// String is the ladder so far.
func (l *Ladder) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var b strings.Builder
	for _, s := range l.steps {
		if s.peer == "" {
			fmt.Fprintf(&b, "%8.3f  %s\n", s.at.Seconds(), s.text)
			continue
		}
		far := l.names[s.far]
		if far == "" {
			far = s.far.String()
			if host := l.names[netip.AddrPortFrom(s.far.Addr(), 0)]; host != "" {
				far = host
			}
		}
		arrow := "<-"
		if s.out {
			arrow = "->"
		}
		fmt.Fprintf(&b, "%8.3f  %-8s %s %-12s %s\n", s.at.Seconds(), s.peer, arrow, far, s.text)
		if l.bytes {
			b.WriteString("\t\t" + strings.ReplaceAll(strings.TrimRight(string(s.raw), "\r\n"), "\n", "\n\t\t") + "\n")
		}
	}
	return b.String()
}

// Of is what that peer sent and received, in order, in a form that does not change from one call to the next: arrows,
// methods, codes and directions, without numbers and addresses, retransmissions and 100s.
func (l *Ladder) Of(peer string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var lines []string
	seen := map[string]bool{}
	for _, s := range l.steps {
		if s.peer != peer || seen[string(s.raw)] {
			continue
		}
		seen[string(s.raw)] = true
		m, err := Parse(s.raw)
		if err != nil || m.Status() == 100 {
			continue
		}
		what := m.Method()
		if !m.Request() {
			what = fmt.Sprintf("%d of %s", m.Status(), what)
		}
		arrow := "gets "
		if s.out {
			arrow = "sends "
		}
		line := arrow + what
		if d := directionsOnly(m); d != "" {
			line += " " + d
		}
		lines = append(lines, line)
	}
	return lines
}

func directionsOnly(m *Message) string {
	var all []string
	for _, media := range ParseSDP(m.SDP()).Media {
		all = append(all, media.Direction)
	}
	return strings.Join(all, "/")
}
