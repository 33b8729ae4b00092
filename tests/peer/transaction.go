package peer

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Opt changes a message before it is sent.
type Opt func(*Message)

// With sets a header, replacing those of that name.
func With(name, value string) Opt {
	return func(m *Message) {
		m.Headers = slices.DeleteFunc(m.Headers, func(h Header) bool { return canonical(h.Name) == canonical(name) })
		m.Headers = append(m.Headers, Header{name, value})
	}
}

// Adding appends a header line beside those of that name.
func Adding(name, value string) Opt {
	return func(m *Message) { m.Headers = append(m.Headers, Header{name, value}) }
}

// Without removes a header.
func Without(name string) Opt {
	return func(m *Message) {
		m.Headers = slices.DeleteFunc(m.Headers, func(h Header) bool { return canonical(h.Name) == canonical(name) })
	}
}

// WithSDP sets an SDP body; nil leaves the message without a body.
func WithSDP(sdp []byte) Opt {
	if sdp == nil {
		return func(*Message) {}
	}
	return WithBody("application/sdp", sdp)
}

// WithBody sets the body and its type.
func WithBody(contentType string, body []byte) Opt {
	return func(m *Message) {
		With("Content-Type", contentType)(m)
		m.Body = body
	}
}

// Phrase sets a response's reason phrase.
func Phrase(phrase string) Opt {
	return func(m *Message) { m.Start = fmt.Sprintf("SIP/2.0 %d %s", m.Status(), phrase) }
}

// Tag sets the To-tag, for a forking proxy's several early dialogs.
func Tag(tag string) Opt {
	return func(m *Message) {
		to, _, _ := strings.Cut(m.Get("To"), ";tag=")
		With("To", to+";tag="+tag)(m)
	}
}

// Outgoing is a request of ours and the responses to it.
type Outgoing struct {
	Peer *Peer
	Sent *Message
	to   dest
	rung map[string]bool // provisional responses that came, as they read
}

// Send sends a request as it is; Via, with a new branch, goes on top.
func (p *Peer) Send(network string, to netip.AddrPort, m *Message, opts ...Opt) *Outgoing {
	return p.sendTo(dest{net: network, at: to}, m, opts...)
}

func (p *Peer) sendTo(to dest, m *Message, opts ...Opt) *Outgoing {
	m.Headers = append([]Header{{"Via", p.via(to.net)}}, m.Headers...)
	for _, opt := range opts {
		opt(m)
	}
	p.send(to, m)
	return &Outgoing{Peer: p, Sent: m, to: to}
}

func (p *Peer) via(network string) string {
	return fmt.Sprintf("SIP/2.0/%s %s;branch=z9hG4bK%s;rport", strings.ToUpper(network), p.at, randomHex(8))
}

// Again sends the very same bytes once more, as a lost answer would make a client do.
func (o *Outgoing) Again() { o.Peer.send(o.to, o.Sent) }

func (o *Outgoing) mine(m *Message) bool {
	_, method := m.CSeq()
	return !m.Request() && m.Branch() == o.Sent.Branch() && method == o.Sent.Method()
}

// Next is the next response other than 100, whichever it is; nil when none comes in that time.
func (o *Outgoing) Next(wait time.Duration) *Message {
	m := o.Peer.take(wait, func(m *Message) bool { return o.mine(m) && m.Status() != 100 })
	if m != nil && m.Status() >= 300 && o.Sent.Method() == "INVITE" {
		o.ackFailure(m)
	}
	return m
}

// repeated tells of a provisional response that it came before, to the byte: a callee repeats it for an INVITE that was
// sent twice, as happens on a machine that is busy. Two replies of our peers are never the same (Incoming.Response).
func (o *Outgoing) repeated(m *Message) bool {
	if m.Status() >= 200 {
		return false
	}
	if o.rung == nil {
		o.rung = map[string]bool{}
	}
	before := o.rung[string(m.Raw)]
	o.rung[string(m.Raw)] = true
	return before
}

// Expect is the next response, which must have that status. 100 is passed over unless asked for, and so is always a
// repeated provisional one, be it of that status: Next gives these. A failure of an INVITE is acknowledged.
func (o *Outgoing) Expect(status int) *Message {
	o.Peer.t.Helper()
	if status == 100 {
		if m := o.Peer.take(Patience, func(m *Message) bool { return o.mine(m) && m.Status() == 100 }); m != nil {
			return m
		}
		o.Peer.t.Fatalf("%s: no 100 for %s", o.Peer.Name, o.Sent.Start)
	}
	m := o.Next(Patience)
	for m != nil && o.repeated(m) {
		m = o.Next(Patience)
	}
	if m == nil {
		o.Peer.t.Fatalf("%s: wanted %d for %s, got nothing", o.Peer.Name, status, o.Sent.Start)
	}
	if m.Status() != status {
		o.Peer.t.Fatalf("%s: wanted %d for %s, got %s", o.Peer.Name, status, o.Sent.Start, m.Start)
	}
	return m
}

// ExpectFinal is the final response, whichever it is; 1xx before it are passed over.
func (o *Outgoing) ExpectFinal() *Message {
	o.Peer.t.Helper()
	for {
		m := o.Next(Patience)
		if m == nil {
			o.Peer.t.Fatalf("%s: no final response for %s", o.Peer.Name, o.Sent.Start)
		}
		if m.Status() >= 200 {
			return m
		}
	}
}

// ackFailure acknowledges a non-2xx final response, in the INVITE's transaction (RFC 3261 §17.1.1.3).
func (o *Outgoing) ackFailure(resp *Message) {
	ack := o.follow("ACK")
	With("To", resp.Get("To"))(ack)
	o.Peer.mu.Lock()
	o.Peer.acks[responseKey(resp)] = reply{o.to, ack}
	o.Peer.mu.Unlock()
	o.Peer.send(o.to, ack)
}

// follow builds the ACK or CANCEL of the same transaction: same URI, Via, From, To, Call-ID, CSeq number, Route.
func (o *Outgoing) follow(method string) *Message {
	m := &Message{Start: method + " " + o.Sent.URI() + " SIP/2.0"}
	m.Headers = append(m.Headers, Header{"Via", o.Sent.Get("Via")})
	for _, route := range o.Sent.All("Route") {
		m.Headers = append(m.Headers, Header{"Route", route})
	}
	number, _ := o.Sent.CSeq()
	m.Headers = append(m.Headers,
		Header{"From", o.Sent.Get("From")}, Header{"To", o.Sent.Get("To")}, Header{"Call-ID", o.Sent.CallID()},
		Header{"CSeq", fmt.Sprintf("%d %s", number, method)}, Header{"Max-Forwards", "70"})
	return m
}

// Cancel sends the CANCEL of an INVITE; its own answer is read with Expect on what is returned.
func (o *Outgoing) Cancel(opts ...Opt) *Outgoing {
	m := o.follow("CANCEL")
	for _, opt := range opts {
		opt(m)
	}
	o.Peer.send(o.to, m)
	return &Outgoing{Peer: o.Peer, Sent: m, to: o.to}
}

// Incoming is a request that came and the answers we give.
type Incoming struct {
	*Message
	Peer *Peer
	Tag  string // the To-tag of our answers
	back dest
}

func (p *Peer) incoming(m *Message) *Incoming {
	back := dest{net: "udp", at: m.From}
	if m.conn != nil {
		back = dest{net: "tcp", at: m.From, conn: m.conn}
	}
	tag := m.ToTag()
	if tag == "" {
		tag = p.Name + "-" + randomHex(6)
	}
	return &Incoming{Message: m, Peer: p, Tag: tag, back: back}
}

// Network is the one it came over, udp or tcp.
func (in *Incoming) Network() string { return in.back.net }

// Elsewhere has the answers go by another connection, opened to that address where there is none, as the first one is gone.
func (in *Incoming) Elsewhere(to netip.AddrPort) { in.back = dest{net: in.back.net, at: to} }

// Expect is the next request of that method, in any dialog.
func (p *Peer) Expect(method string) *Incoming {
	p.t.Helper()
	return p.ExpectWhere(method, func(m *Message) bool { return m.Method() == method })
}

// ExpectWhere is the next request that fits.
func (p *Peer) ExpectWhere(what string, fits func(*Message) bool) *Incoming {
	p.t.Helper()
	m := p.take(Patience, func(m *Message) bool { return m.Request() && fits(m) })
	if m == nil {
		p.t.Fatalf("%s: no %s came; not expected so far: %q", p.Name, what, p.Unexpected())
	}
	return p.incoming(m)
}

// Maybe is the next request of that method if one comes in that time, else nil.
func (p *Peer) Maybe(method string, wait time.Duration) *Incoming {
	m := p.take(wait, func(m *Message) bool { return m.Request() && m.Method() == method })
	if m == nil {
		return nil
	}
	return p.incoming(m)
}

// ExpectOther is the next request of that method in the same dialog: same Call-ID and From-tag.
func (in *Incoming) ExpectOther(method string) *Incoming {
	in.Peer.t.Helper()
	return in.Peer.ExpectWhere(method, func(m *Message) bool {
		return m.Method() == method && m.CallID() == in.CallID() && m.FromTag() == in.FromTag()
	})
}

// Response builds an answer without sending it.
func (in *Incoming) Response(status int, opts ...Opt) *Message {
	m := &Message{Start: fmt.Sprintf("SIP/2.0 %d %s", status, phrases[status])}
	for _, name := range []string{"Via", "Record-Route", "From"} {
		for _, value := range in.All(name) {
			m.Headers = append(m.Headers, Header{name, value})
		}
	}
	to := in.Get("To")
	if in.ToTag() == "" && status > 100 {
		to += ";tag=" + in.Tag
	}
	m.Headers = append(m.Headers, Header{"To", to}, Header{"Call-ID", in.CallID()}, Header{"CSeq", in.Get("CSeq")})
	if status > 100 && in.Method() != "BYE" && in.Method() != "CANCEL" {
		m.Headers = append(m.Headers, Header{"Contact", in.Peer.Contact(in.back.net)})
	}
	if status > 100 && status < 200 { // for Outgoing.Expect
		m.Headers = append(m.Headers, Header{"X-Reply", randomHex(4)})
	}
	for _, opt := range opts {
		opt(m)
	}
	return m
}

// Reply answers. A retransmission of the request is answered by the last reply. Any goroutine.
func (in *Incoming) Reply(status int, opts ...Opt) *Message {
	m := in.Response(status, opts...)
	in.Peer.mu.Lock()
	in.Peer.replies[requestKey(in.Message)] = reply{in.back, m}
	in.Peer.mu.Unlock()
	in.Peer.send(in.back, m)
	return m
}

var phrases = map[int]string{
	100: "Trying", 180: "Ringing", 181: "Call Is Being Forwarded", 183: "Session Progress", 200: "OK", 202: "Accepted",
	300: "Multiple Choices", 302: "Moved Temporarily", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden",
	404: "Not Found", 405: "Method Not Allowed", 407: "Proxy Authentication Required", 408: "Request Timeout",
	415: "Unsupported Media Type", 420: "Bad Extension", 480: "Temporarily Unavailable",
	481: "Call/Transaction Does Not Exist", 486: "Busy Here", 487: "Request Terminated", 488: "Not Acceptable Here",
	491: "Request Pending", 500: "Server Internal Error", 501: "Not Implemented", 503: "Service Unavailable",
	600: "Busy Everywhere", 603: "Decline",
}
