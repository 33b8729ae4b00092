package trace

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
)

// Ladder is what was said in some dialogs.
type Ladder struct {
	Messages []Entry
	LeftOut  int // messages that were not kept, for there were too many
}

// Entry is one message of a ladder.
type Entry struct {
	Message
	CallID string
	Party  string // who is at the other end: see Name
}

// From and To are the sockets in the direction of the message.
func (e Entry) From() netip.AddrPort {
	if e.Received {
		return e.Remote
	}
	return e.Local
}

// To is where the message went.
func (e Entry) To() netip.AddrPort {
	if e.Received {
		return e.Local
	}
	return e.Remote
}

// Summary is the message in a few words: method or status, and what it carries.
func (e Entry) Summary() string {
	first, _, _ := bytes.Cut(bytes.TrimLeft(e.Data, "\r\n"), []byte("\n"))
	words := strings.Fields(string(first))
	if len(words) < 2 {
		return ""
	}
	s := words[0]
	if words[0] == "SIP/2.0" {
		s = strings.Join(words[1:], " ")
		if cseq := strings.Fields(e.header("CSeq")); len(cseq) == 2 {
			s += " (" + cseq[1] + ")"
		}
	}
	switch kind := strings.ToLower(e.header("Content-Type")); {
	case strings.HasPrefix(kind, "application/sdp"):
		s += " SDP"
	case strings.HasPrefix(kind, "multipart/"):
		s += " SDP+metadata"
	case kind != "":
		kind, _, _ = strings.Cut(kind, ";")
		s += " " + kind[strings.LastIndexByte(kind, '/')+1:]
	}
	return printable(s)
}

var short = map[string]string{"Content-Type": "c"}

func (e Entry) header(name string) string {
	head, _, _ := bytes.Cut(e.Data, []byte("\r\n\r\n"))
	for line := range bytes.Lines(head) {
		n, v, ok := strings.Cut(string(line), ":")
		if n = strings.TrimSpace(n); ok && (strings.EqualFold(n, name) || short[name] != "" && strings.EqualFold(n, short[name])) {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// Name says who is who: the peers of dialogs with SRSs are named by servers, by
// Call-ID; of the call itself, who has sent us the first INVITE is the caller,
// and everybody else a callee.
func (l *Ladder) Name(servers map[string]string) {
	var caller netip.AddrPort
	callees := map[netip.AddrPort]bool{}
	for _, e := range l.Messages {
		if servers[e.CallID] != "" || !bytes.HasPrefix(e.Data, []byte("INVITE ")) {
			continue
		}
		if e.Received && !caller.IsValid() {
			caller = e.Remote
		}
		if !e.Received {
			callees[e.Remote] = true
		}
	}
	for i, e := range l.Messages {
		switch s := servers[e.CallID]; {
		case s != "":
			l.Messages[i].Party = s
		case e.Remote == caller, e.Remote.Addr() == caller.Addr() && !callees[e.Remote]:
			l.Messages[i].Party = "caller"
		default:
			l.Messages[i].Party = "callee"
		}
	}
}

const columnWidth = 28

// column is one peer of a drawn ladder.
type column struct {
	party string
	peer  netip.AddrPort
}

// Draw writes the ladder for people: a column for each peer, ours the second.
func (l Ladder) Draw(w io.Writer) error {
	columns := l.columns()
	var b strings.Builder
	row := func(cell func(column) string, ours string) {
		b.WriteString(strings.Repeat(" ", 10))
		for i, c := range columns {
			if i == 1 {
				fmt.Fprintf(&b, "%-*s", columnWidth, ours)
			}
			fmt.Fprintf(&b, "%-*s", columnWidth, fit(printable(cell(c)), columnWidth-2))
		}
		if len(columns) == 1 {
			b.WriteString(ours)
		}
		b.WriteByte('\n')
	}
	row(func(c column) string { return c.party }, "sidetrack")
	row(column.address, "")
	for _, e := range l.Messages {
		at := slices.Index(columns, column{e.Party, e.Remote})
		if at > 0 {
			at++ // ours is between
		}
		fmt.Fprintf(&b, "%9.3f %s\n", e.Time.Sub(l.Messages[0].Time).Seconds(), arrow(max(2, len(columns)+1), at, e))
	}
	if l.LeftOut > 0 {
		fmt.Fprintf(&b, "%d messages between these were not kept\n", l.LeftOut)
	}
	for line := range strings.Lines(b.String()) {
		if _, err := io.WriteString(w, strings.TrimRight(line, " \n")+"\n"); err != nil {
			return err
		}
	}
	return nil
}

func (c column) address() string {
	if !c.peer.IsValid() {
		return ""
	}
	return c.peer.String()
}

// columns are the peers: the caller first, then callees, then SRSs, each in
// order of appearance.
func (l Ladder) columns() []column {
	var all []column
	for _, e := range l.Messages {
		if c := (column{e.Party, e.Remote}); !slices.Contains(all, c) {
			all = append(all, c)
		}
	}
	rank := map[string]int{"caller": 0, "callee": 1}
	slices.SortStableFunc(all, func(a, b column) int {
		ra, oka := rank[a.party]
		rb, okb := rank[b.party]
		if !oka {
			ra = 2
		}
		if !okb {
			rb = 2
		}
		return cmp.Compare(ra, rb)
	})
	if len(all) == 0 || all[0].party != "caller" {
		all = slices.Insert(all, 0, column{party: "caller"})
	}
	return all
}

// arrow draws a message between us, column 1, and column at.
func arrow(n, at int, e Entry) string {
	line := []rune(strings.Repeat(" ", n*columnWidth))
	for i := range n {
		line[i*columnWidth] = '|'
	}
	left, right := min(1, at)*columnWidth, max(1, at)*columnWidth
	toRight := (at > 1) != e.Received
	for i := left + 1; i < right; i++ {
		line[i] = '-'
	}
	label := []rune(" " + fit(e.Summary(), right-left-6) + " ")
	copy(line[left+3:right], label)
	if toRight {
		line[right-1] = '>'
	} else {
		line[left+1] = '<'
	}
	return string(line)
}

// fit shortens a text.
func fit(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}

// printable keeps what a peer has sent from reaching a terminal as more than text.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == '\uFFFD' {
			return '?'
		}
		return r
	}, s)
}
