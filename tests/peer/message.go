package peer

import (
	"bytes"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Header is one header field line.
type Header struct{ Name, Value string }

// Message is a SIP message as text: the start line, the header lines in order, the body.
type Message struct {
	Start   string
	Headers []Header
	Body    []byte

	From netip.AddrPort // whom it came from; zero in a message of our own
	At   time.Time      // when it was read
	Raw  []byte         // as read
	conn *stream        // the TCP connection it came on; nil over UDP
}

// compact maps the short header names of RFC 3261 §7.3.3 and its extensions to the long ones.
var compact = map[string]string{
	"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "l": "content-length", "c": "content-type",
	"k": "supported", "s": "subject", "e": "content-encoding", "x": "session-expires", "r": "refer-to",
	"b": "referred-by", "o": "event", "u": "allow-events",
}

func canonical(name string) string {
	name = strings.ToLower(strings.TrimSpace(name))
	if long, ok := compact[name]; ok {
		return long
	}
	return name
}

// Parse reads one whole message. The body is everything after the empty line, cut to Content-Length where there is one.
func Parse(raw []byte) (*Message, error) {
	head, body, found := bytes.Cut(raw, []byte("\r\n\r\n"))
	if !found {
		return nil, fmt.Errorf("no empty line after the headers")
	}
	m := &Message{Raw: raw}
	for i, line := range strings.Split(string(head), "\r\n") {
		switch {
		case i == 0:
			m.Start = line
		case line != "" && (line[0] == ' ' || line[0] == '\t') && len(m.Headers) > 0: // folded
			m.Headers[len(m.Headers)-1].Value += " " + strings.TrimSpace(line)
		default:
			name, value, ok := strings.Cut(line, ":")
			if !ok {
				return nil, fmt.Errorf("header line without a colon: %q", line)
			}
			m.Headers = append(m.Headers, Header{strings.TrimSpace(name), strings.TrimSpace(value)})
		}
	}
	if !strings.HasPrefix(m.Start, "SIP/2.0 ") && !strings.HasSuffix(m.Start, " SIP/2.0") {
		return nil, fmt.Errorf("not a SIP start line: %q", m.Start)
	}
	if n, err := strconv.Atoi(m.Get("Content-Length")); err == nil {
		if n > len(body) {
			return nil, fmt.Errorf("Content-Length %d, body of %d", n, len(body))
		}
		body = body[:n]
	}
	m.Body = body
	return m, nil
}

// Bytes is the message on the wire; Content-Length is written from the body unless the headers hold one.
func (m *Message) Bytes() []byte {
	var b bytes.Buffer
	b.WriteString(m.Start + "\r\n")
	for _, h := range m.Headers {
		b.WriteString(h.Name + ": " + h.Value + "\r\n")
	}
	if m.Get("Content-Length") == "" {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(m.Body))
	}
	b.WriteString("\r\n")
	b.Write(m.Body)
	return b.Bytes()
}

// Request says whether the message is a request.
func (m *Message) Request() bool { return !strings.HasPrefix(m.Start, "SIP/2.0 ") }

// Method is the request's method; of a response, that of its CSeq.
func (m *Message) Method() string {
	if m.Request() {
		method, _, _ := strings.Cut(m.Start, " ")
		return method
	}
	_, method := m.CSeq()
	return method
}

// URI is the Request-URI.
func (m *Message) URI() string {
	fields := strings.Fields(m.Start)
	if !m.Request() || len(fields) != 3 {
		return ""
	}
	return fields[1]
}

// Status is the response's code, 0 of a request.
func (m *Message) Status() int {
	if m.Request() {
		return 0
	}
	code, _ := strconv.Atoi(strings.Fields(m.Start + " x")[1])
	return code
}

// Reason is the response's reason phrase.
func (m *Message) Reason() string {
	parts := strings.SplitN(m.Start, " ", 3)
	if m.Request() || len(parts) < 3 {
		return ""
	}
	return parts[2]
}

// Get is the value of the first header of that name, "" when there is none.
func (m *Message) Get(name string) string {
	for _, h := range m.Headers {
		if canonical(h.Name) == canonical(name) {
			return h.Value
		}
	}
	return ""
}

// All is the values of every header line of that name.
func (m *Message) All(name string) []string {
	var values []string
	for _, h := range m.Headers {
		if canonical(h.Name) == canonical(name) {
			values = append(values, h.Value)
		}
	}
	return values
}

// Tokens is a comma list over all lines of that name, in lower case; for headers without quotes and brackets.
func (m *Message) Tokens(name string) []string {
	var tokens []string
	for _, value := range m.All(name) {
		for token := range strings.SplitSeq(value, ",") {
			tokens = append(tokens, strings.ToLower(strings.TrimSpace(token)))
		}
	}
	return tokens
}

// CSeq is the number and the method.
func (m *Message) CSeq() (uint32, string) {
	fields := strings.Fields(m.Get("CSeq"))
	if len(fields) != 2 {
		return 0, ""
	}
	n, _ := strconv.ParseUint(fields[0], 10, 32)
	return uint32(n), fields[1]
}

// CallID is the Call-ID.
func (m *Message) CallID() string { return m.Get("Call-ID") }

// FromTag and ToTag are the dialog's tags, "" when there is none.
func (m *Message) FromTag() string { return Param(m.Get("From"), "tag") }

// ToTag is the tag of the To header.
func (m *Message) ToTag() string { return Param(m.Get("To"), "tag") }

// Branch is that of the topmost Via.
func (m *Message) Branch() string {
	top, _, _ := strings.Cut(m.Get("Via"), ",")
	return Param(top, "branch")
}

// Param is the value of a header parameter (one after the name-addr's bracket), "" when there is none.
func Param(value, name string) string {
	if i := strings.LastIndexByte(value, '>'); i >= 0 {
		value = value[i+1:]
	}
	for i, part := range strings.Split(value, ";") {
		key, v, _ := strings.Cut(part, "=")
		if i > 0 && strings.EqualFold(strings.TrimSpace(key), name) {
			return strings.Trim(strings.TrimSpace(v), `"`)
		}
	}
	return ""
}

// URIOf is the URI of a name-addr or addr-spec.
func URIOf(value string) string {
	if _, rest, ok := strings.Cut(value, "<"); ok {
		uri, _, _ := strings.Cut(rest, ">")
		return uri
	}
	uri, _, _ := strings.Cut(value, ";")
	return strings.TrimSpace(uri)
}

// hostPort reads the numeric host and the port of a SIP URI; port 5060 when it has none.
func hostPort(uri string) (netip.AddrPort, error) {
	_, rest, ok := strings.Cut(uri, ":")
	if !ok {
		return netip.AddrPort{}, fmt.Errorf("no scheme in %q", uri)
	}
	rest, _, _ = strings.Cut(rest, ";")
	rest, _, _ = strings.Cut(rest, "?")
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		rest = rest[i+1:]
	}
	if at, err := netip.ParseAddrPort(rest); err == nil {
		return at, nil
	}
	addr, err := netip.ParseAddr(strings.Trim(rest, "[]"))
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("host of %q is not an address", uri)
	}
	return netip.AddrPortFrom(addr, 5060), nil
}

// uriTransport is the transport parameter of a URI, "udp" when it has none.
func uriTransport(uri string) string {
	for part := range strings.SplitSeq(uri, ";") {
		if key, value, _ := strings.Cut(part, "="); strings.EqualFold(key, "transport") {
			return strings.ToLower(value)
		}
	}
	return "udp"
}
