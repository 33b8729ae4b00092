package peer

import (
	"fmt"
	"net/netip"
	"slices"
	"time"
)

// Dialog is one side of a dialog (RFC 3261 §12), plain and strict: requests go to the remote target that the far side
// gave, by the route set that it recorded, with our next CSeq number.
type Dialog struct {
	Peer          *Peer
	CallID        string
	Local, Remote string // From and To values with their tags
	Target        string // the far side's Contact URI
	Routes        []string
	CSeq          uint32
	Last          *Outgoing // the last INVITE that we sent in it; Ack acknowledges it
	network       string
	via           *stream // the connection that the dialog lives on, over TCP
	far           netip.AddrPort
}

// Call says how an INVITE of ours looks.
type Call struct {
	Network string // udp when empty
	URI     string // Request-URI and To
	From    string // name-addr without tag; made from the peer's name when empty
	CallID  string
	SDP     []byte
	Opts    []Opt
}

// Invite sends the INVITE of a new call to that address.
func (p *Peer) Invite(to netip.AddrPort, c Call) *Outgoing {
	return p.Start("INVITE", to, c)
}

// Start sends any request outside a dialog.
func (p *Peer) Start(method string, to netip.AddrPort, c Call) *Outgoing {
	if c.Network == "" {
		c.Network = "udp"
	}
	if c.From == "" {
		c.From = fmt.Sprintf("<sip:%s@caller.test>", p.Name)
	}
	if c.CallID == "" {
		c.CallID = randomHex(10) + "@" + p.Name
	}
	m := &Message{Start: method + " " + c.URI + " SIP/2.0", Headers: []Header{
		{"From", c.From + ";tag=" + p.Name + "-" + randomHex(5)}, {"To", "<" + c.URI + ">"}, {"Call-ID", c.CallID},
		{"CSeq", "101 " + method}, {"Contact", p.Contact(c.Network)}, {"Max-Forwards", "70"},
		{"Allow", "INVITE, ACK, CANCEL, BYE, UPDATE, INFO, OPTIONS"},
	}}
	return p.Send(c.Network, to, m, append([]Opt{WithSDP(c.SDP)}, c.Opts...)...)
}

// Dialog is the one that this response to our INVITE made.
func (o *Outgoing) Dialog(resp *Message) *Dialog {
	routes := resp.All("Record-Route")
	slices.Reverse(routes) // RFC 3261 §12.1.2
	number, _ := o.Sent.CSeq()
	d := &Dialog{
		Peer: o.Peer, CallID: o.Sent.CallID(), Local: o.Sent.Get("From"), Remote: resp.Get("To"),
		Target: URIOf(resp.Get("Contact")), Routes: routes, CSeq: number, Last: o,
		network: o.to.net, via: resp.conn, far: o.to.at,
	}
	return d
}

// Dialog is the one that our answer to this request makes.
func (in *Incoming) Dialog() *Dialog {
	return &Dialog{
		Peer: in.Peer, CallID: in.CallID(), Local: in.Get("To") + ";tag=" + in.Tag, Remote: in.Get("From"),
		Target: URIOf(in.Get("Contact")), Routes: in.All("Record-Route"), CSeq: 500,
		network: in.back.net, via: in.back.conn, far: in.back.at,
	}
}

// build is a request in the dialog with that number.
func (d *Dialog) build(method string, number uint32) *Message {
	m := &Message{Start: method + " " + d.Target + " SIP/2.0", Headers: []Header{
		{"From", d.Local}, {"To", d.Remote}, {"Call-ID", d.CallID},
		{"CSeq", fmt.Sprintf("%d %s", number, method)}, {"Max-Forwards", "70"},
	}}
	for _, route := range d.Routes {
		m.Headers = append(m.Headers, Header{"Route", route})
	}
	if method == "INVITE" || method == "UPDATE" {
		m.Headers = append(m.Headers, Header{"Contact", d.Peer.Contact(d.network)})
	}
	return m
}

// next is where requests go: the connection of the dialog over TCP, else the first route or the target as it reads.
func (d *Dialog) next() dest {
	uri := d.Target
	if len(d.Routes) > 0 {
		uri = URIOf(d.Routes[0])
	}
	at, err := hostPort(uri)
	if err != nil {
		d.Peer.t.Errorf("%s: %v", d.Peer.Name, err)
		at = d.far
	}
	if transport := uriTransport(uri); transport == "tcp" || transport == "tls" { // which something between may speak for us
		if d.via != nil {
			return dest{net: "tcp", at: d.via.far, conn: d.via}
		}
		return dest{net: "tcp", at: at}
	}
	return dest{net: "udp", at: at}
}

// Send sends the next request in the dialog.
func (d *Dialog) Send(method string, opts ...Opt) *Outgoing {
	d.CSeq++
	m := d.build(method, d.CSeq)
	out := d.Peer.sendTo(d.next(), m, opts...)
	if method == "INVITE" {
		d.Last = out
	}
	return out
}

// Ack acknowledges the 2xx of the last INVITE; a repeated 2xx gets it again.
func (d *Dialog) Ack(resp *Message, opts ...Opt) {
	number, _ := d.Last.Sent.CSeq()
	m := d.build("ACK", number)
	to := d.next()
	m.Headers = append([]Header{{"Via", d.Peer.via(to.net)}}, m.Headers...)
	for _, opt := range opts {
		opt(m)
	}
	d.Peer.mu.Lock()
	d.Peer.acks[responseKey(resp)] = reply{to, m}
	d.Peer.mu.Unlock()
	d.Peer.send(to, m)
}

// Refresh takes the remote target from a re-INVITE's 2xx or request.
func (d *Dialog) Refresh(m *Message) {
	if contact := m.Get("Contact"); contact != "" {
		d.Target = URIOf(contact)
	}
}

// Move has another peer go on with the dialog, as the same phone in another network: over TCP by a connection of its own.
func (d *Dialog) Move(to *Peer) { d.Peer, d.via = to, nil }

func (d *Dialog) mine(m *Message) bool {
	return m.Request() && m.CallID() == d.CallID && m.ToTag() == Param(d.Local, "tag")
}

// Expect is the next request of that method in the dialog.
func (d *Dialog) Expect(method string) *Incoming {
	d.Peer.t.Helper()
	return d.Peer.ExpectWhere(method+" in the dialog "+shorten(d.CallID), func(m *Message) bool {
		return d.mine(m) && m.Method() == method
	})
}

// Maybe is the same if one comes in that time, else nil.
func (d *Dialog) Maybe(method string, wait time.Duration) *Incoming {
	m := d.Peer.take(wait, func(m *Message) bool { return d.mine(m) && m.Method() == method })
	if m == nil {
		return nil
	}
	return d.Peer.incoming(m)
}

// Bye hangs up and awaits the 200.
func (d *Dialog) Bye(opts ...Opt) *Message {
	d.Peer.t.Helper()
	return d.Send("BYE", opts...).Expect(200)
}

// AnswerBye awaits the far side's BYE and answers 200.
func (d *Dialog) AnswerBye() *Incoming {
	d.Peer.t.Helper()
	in := d.Expect("BYE")
	in.Reply(200)
	return in
}
