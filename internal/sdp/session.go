package sdp

import (
	"bytes"
	"errors"
	"net/netip"
	"strings"
)

// MaxSize is the size in bytes above which Parse refuses a description.
const MaxSize = 64 << 10

// Errors of Parse.
var (
	ErrTooLarge = errors.New("session description too large")
	ErrNotSDP   = errors.New("not a session description: neither v= nor m= line")
)

// line is one line without its ending, and the ending: CRLF, LF, CR or nothing.
type line struct {
	text string
	eol  ending
}

// ending is how a line ends: a description may be kept as long as its call, and a
// string for each of its lines would be half of it.
type ending uint8

const (
	noEnding ending = iota
	endingLF
	endingCR
	endingCRLF
)

var endings = [...]string{noEnding: "", endingLF: "\n", endingCR: "\r", endingCRLF: "\r\n"}

// typ returns the line's type letter, 0 if the line has none.
func (l line) typ() byte {
	if len(l.text) >= 2 && l.text[1] == '=' {
		return l.text[0]
	}
	return 0
}

// value returns what follows the type.
func (l line) value() string { return strings.TrimRight(l.text[2:], " \t") }

// Session is a session description. It is not for concurrent use.
type Session struct {
	text  string // as read
	lines []line // session level
	media []*Media
	first Media // of media, so that a description of one section is one object with it
	only  [1]*Media

	// Read once and kept up to date by Anchor, so that asking each of many
	// sections does not read the session's lines again each time.
	connAt   int       // index of the c= line, -1 if there is none
	conn     string    // its address, "" if there is none
	dir      Direction // "" if there is none
	stripped bool      // what leads media past us is gone
	anchored bool      // the c= line is ours
	unkeyed  bool      // attributes of keying are gone
}

// Parse reads a description. It fails only when there is neither a v= nor an
// m= line (ErrNotSDP) or when it is absurdly large (ErrTooLarge); everything
// else is kept as it is. b is not kept.
func Parse(b []byte) (*Session, error) {
	if len(b) > MaxSize {
		return nil, ErrTooLarge
	}
	s := &Session{text: string(b)}
	all := make([]line, 0, bytes.Count(b, []byte{'\n'})+1) // of all sections
	section, from := &s.lines, 0
	for rest := s.text; rest != ""; {
		var l line
		l, rest = cut(rest)
		if l.typ() == 'm' {
			*section = all[from:len(all):len(all)]
			section, from = &s.add(newMedia(l)).lines, len(all)
		}
		all = append(all, l)
	}
	*section = all[from:len(all):len(all)]
	if len(s.media) == 0 && find(s.lines, 'v') < 0 {
		return nil, ErrNotSDP
	}
	s.index()
	return s, nil
}

// Clone copies the description: what is edited in the one stays as it is in the other.
func (s *Session) Clone() *Session {
	c := *s
	c.media = nil
	n := len(s.lines)
	for _, m := range s.media {
		n += len(m.lines)
	}
	all := append(make([]line, 0, n), s.lines...)
	c.lines = all[:len(all):len(all)]
	for _, m := range s.media {
		from := len(all)
		all = append(all, m.lines...)
		c.add(*m).lines = all[from:len(all):len(all)]
	}
	return &c
}

// add makes m the last section.
func (s *Session) add(m Media) *Media {
	own := &s.first
	if len(s.media) == 0 {
		s.media = s.only[:0]
	} else {
		own = new(Media)
	}
	*own = m
	own.session = s
	s.media = append(s.media, own)
	return own
}

// index reads what sections ask the session for.
func (s *Session) index() {
	s.connAt = find(s.lines, 'c')
	s.conn = connText(s.lines)
	s.dir = findDirection(s.lines)
}

// cut takes the first line off s. A CR of its own ends a line, too: somebody else
// may read it so, and must not find an address there that we have not seen.
func cut(s string) (line, string) {
	i := strings.IndexAny(s, "\r\n")
	if i < 0 {
		return line{text: s}, ""
	}
	eol := endingLF
	if s[i] == '\r' {
		eol = endingCR
		if i+1 < len(s) && s[i+1] == '\n' {
			eol = endingCRLF
		}
	}
	return line{text: s[:i], eol: eol}, s[i+len(endings[eol]):]
}

// Bytes writes the description: byte for byte what was read, but for the lines
// that were edited.
func (s *Session) Bytes() []byte {
	n := size(s.lines)
	for _, m := range s.media {
		n += size(m.lines)
	}
	b := write(make([]byte, 0, n), s.lines)
	for _, m := range s.media {
		b = write(b, m.lines)
	}
	return b
}

func size(lines []line) (n int) {
	for _, l := range lines {
		n += len(l.text) + len(endings[l.eol])
	}
	return n
}

func write(b []byte, lines []line) []byte {
	for _, l := range lines {
		b = append(append(b, l.text...), endings[l.eol]...)
	}
	return b
}

// Text is what was read, whatever has been edited since.
func (s *Session) Text() string { return s.text }

// Media returns the m= sections in order. The slice must not be changed; its
// elements edit the session they belong to.
func (s *Session) Media() []*Media { return s.media }

// Attr returns the value of the first session-level attribute of this name.
func (s *Session) Attr(name string) (string, bool) { return attr(s.lines, name) }

// Attrs returns the values of all session-level attributes of this name.
func (s *Session) Attrs(name string) []string { return attrs(s.lines, name) }

// Origin is the o= line (RFC 8866 §5.2). SessionID and Version are text: peers
// send numbers that fit no integer.
type Origin struct {
	Username, SessionID, Version string
	NetType, AddrType, Addr      string
}

// Origin returns the o= line, the zero Origin if there is none that can be
// read. A user name with spaces in it is understood.
func (s *Session) Origin() Origin {
	i := find(s.lines, 'o')
	if i < 0 {
		return Origin{}
	}
	f := fields(s.lines[i].value())
	n := len(f)
	if n < 6 {
		return Origin{}
	}
	return Origin{
		Username: strings.Join(f[:n-5], " "), SessionID: f[n-5], Version: f[n-4],
		NetType: f[n-3], AddrType: f[n-2], Addr: f[n-1],
	}
}

// SetOriginAddr replaces the address of the o= line, and nothing else of it.
// Without a readable o= line it does nothing.
func (s *Session) SetOriginAddr(addr netip.Addr) {
	if (s.Origin() == Origin{}) {
		return
	}
	i := find(s.lines, 'o')
	s.lines[i].text = replaceAddr(s.lines[i].text, addr)
}

// replaceAddr replaces the last two fields, "IP4 192.0.2.1", of a line.
func replaceAddr(text string, addr netip.Addr) string {
	text = strings.TrimRight(text, " \t")
	for range 2 {
		text = strings.TrimRight(text[:strings.LastIndexAny(text, " \t")], " \t")
	}
	return addrText(text+" ", addr)
}

// addrText is an address with its type, as in c= and o= (RFC 8866 §5.7: no
// brackets), behind what stands before it.
func addrText(before string, a netip.Addr) string {
	a = a.Unmap().WithZone("")
	kind := "IP4 "
	if a.Is6() {
		kind = "IP6 "
	}
	var room [96]byte
	return string(a.AppendTo(append(append(room[:0], before...), kind...)))
}

// fields splits a value at blanks, the only separators SDP knows.
func fields(s string) []string { return strings.FieldsFunc(s, isBlank) }

// cutField takes the first of them off s.
func cutField(s string) (field, rest string) {
	from := skip(s, 0, true)
	to := skip(s, from, false)
	return s[from:to], s[to:]
}

func isBlank(r rune) bool { return r == ' ' || r == '\t' }

// find returns the index of the first line of this type, -1 if there is none.
func find(lines []line, typ byte) int {
	for i, l := range lines {
		if l.typ() == typ {
			return i
		}
	}
	return -1
}

func attr(lines []line, name string) (string, bool) {
	for _, l := range lines {
		if n, v, ok := l.attr(); ok && strings.EqualFold(n, name) {
			return v, true
		}
	}
	return "", false
}

func attrs(lines []line, name string) (out []string) {
	for _, l := range lines {
		if n, v, ok := l.attr(); ok && strings.EqualFold(n, name) {
			out = append(out, v)
		}
	}
	return out
}

// attr splits an a= line into name and value.
func (l line) attr() (name, value string, ok bool) {
	if l.typ() != 'a' {
		return "", "", false
	}
	name, value, _ = strings.Cut(l.value(), ":")
	return strings.TrimSpace(name), strings.TrimSpace(value), true
}
