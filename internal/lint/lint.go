package lint

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"sidetrack/internal/pcap"
	"sidetrack/internal/sip"
)

// MaxFile is the size in bytes above which a file is not read.
const MaxFile = 256 << 20

// Weight says what comes of a finding.
type Weight string

// The weights.
const (
	Must   Weight = "must"   // a recorder that keeps to the RFCs refuses this, or may
	Should Weight = "should" // allowed, but some recorders break on it
)

// Finding is one thing wrong with an item.
type Finding struct {
	Rule   string `json:"rule"` // as in tests/conformance/rules.tsv, such as SRC-03
	Weight Weight `json:"weight"`
	Line   int    `json:"line,omitempty"` // of the item, from 1; 0: no line of its own
	Where  string `json:"where"`
	Text   string `json:"text"`
}

// Item is one message or document of a file.
type Item struct {
	Name  string // what it is, and where it was found
	First int    // number of its first line in the file; 0 in a capture
	raw   []byte
	msg   *sip.Message // nil for a document
	err   error        // why it could not be read
	proto string       // transport, "" when it is not known
}

// ErrNothing: the file holds nothing that can be judged.
var ErrNothing = errors.New("no INVITE, UPDATE or BYE of a recording session and no metadata document in it; " +
	"what can be judged is a pcap or pcapng file, SIP messages as text, or XML")

// Read takes a file apart. Messages that have nothing to do with recording are left out of captures, not out of text.
func Read(data []byte) ([]Item, error) {
	var items []Item
	var err error
	switch trimmed := bytes.TrimLeft(bytes.TrimPrefix(data, []byte("\uFEFF")), " \t\r\n"); {
	case pcap.Is(data):
		items, err = readCapture(data)
	case bytes.HasPrefix(trimmed, []byte("<")):
		items = []Item{{Name: "metadata document", First: 1, raw: data}}
	default:
		items = readText(data)
	}
	if err == nil && len(items) == 0 {
		err = ErrNothing
	}
	return items, err
}

// readCapture takes the messages of recording sessions, and what cannot be read.
func readCapture(data []byte) (items []Item, err error) {
	err = pcap.Read(data, requestLine, func(m pcap.Message) {
		it := newItem(m.Data, m.Proto, 0, fmt.Sprintf("packet %d", m.Packet))
		if it.err != nil || it.recording() {
			items = append(items, it)
		}
	})
	return items, err
}

// readText finds the SIP messages of a text: each begins with a request line at the beginning of a line. Line ends may be
// bare, as editors leave them; Content-Length is then not held against it.
func readText(data []byte) []Item {
	var items []Item
	lines := strings.SplitAfter(string(data), "\n")
	start := -1
	add := func(end int) {
		if start < 0 {
			return
		}
		text := strings.Join(lines[start:end], "")
		items = append(items, newItem([]byte(text), "", start+1, fmt.Sprintf("line %d", start+1)))
	}
	for i, l := range lines {
		if requestLine(l) {
			add(i)
			start = i
		}
	}
	add(len(lines))
	return items
}

// requestLine tells whether a line begins a request that may belong to a recording session.
func requestLine(l string) bool {
	method, rest, ok := strings.Cut(strings.TrimRight(l, "\r\n"), " ")
	if !ok || !strings.HasSuffix(rest, " SIP/2.0") {
		return false
	}
	switch method {
	case "INVITE", "UPDATE", "BYE":
		return true
	}
	return false
}

// newItem reads a message. Bare line ends are made whole, and the length of the body with them.
func newItem(raw []byte, proto string, first int, where string) Item {
	it := Item{Name: where, First: first, raw: raw, proto: proto}
	whole := raw
	if !bytes.Contains(raw, []byte("\r\n")) {
		whole = sip.Mend(raw)
	}
	it.msg, it.err = sip.Parse(whole)
	if it.msg != nil {
		it.Name = it.msg.Method + " " + it.msg.RequestURI + " (" + where + ")"
		if by := strings.ToLower(it.msg.TopVia().Transport); proto == "udp" && by != "" {
			it.proto = by // a capture that a proxy has written, such as ours, holds datagrams whatever they went over
		}
	}
	return it
}

// Judge gives what is wrong with the item, the worst first within its order in the message.
func (it *Item) Judge() []Finding {
	j := &judge{item: it}
	switch {
	case it.err != nil:
		j.add("SIP", Must, 1, "message", "cannot be read: %v", it.err)
	case it.msg == nil:
		j.document(it.raw, nil, 0)
	default:
		j.message()
	}
	return j.findings
}

// recording tells whether a message belongs to a recording session.
func (it *Item) recording() bool {
	m := it.msg
	if m == nil {
		return false
	}
	text := strings.ToLower(m.Get("Contact") + m.Get("Require") + m.ContentType())
	return strings.Contains(text, "sip.src") || strings.Contains(text, ";src") || strings.Contains(text, "siprec") || strings.Contains(text, "rs-metadata") ||
		bytes.Contains(m.Body, []byte("rs-metadata"))
}

type judge struct {
	item     *Item
	findings []Finding
}

func (j *judge) add(rule string, w Weight, line int, where, format string, args ...any) {
	j.findings = append(j.findings, Finding{rule, w, line, where, fmt.Sprintf(format, args...)})
}

// line is the number of the n-th line of the item that begins with a prefix, case aside; 0 when there is none.
func (j *judge) line(prefix string, n int) int {
	for i, l := range strings.Split(string(j.item.raw), "\n") {
		if len(l) >= len(prefix) && strings.EqualFold(l[:len(prefix)], prefix) {
			if n--; n < 0 {
				return i + 1
			}
		}
	}
	return 0
}
