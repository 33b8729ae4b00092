package b2bua

import (
	"strconv"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/dialog"
)

// pass sends a response of the far side, in branch b, to the side that asked.
func (x *exchange) pass(resp *sip.Message, b *branch) {
	out, err := x.response(resp, b)
	if err != nil { // what it says cannot be relayed, the rest can
		x.call.log.Warn("description taken out", "error", err)
		out.SetBody("", nil)
		if resp.Status >= 200 {
			defer x.call.hangUp(verdict{result: refused, status: unfitStatus(err), reason: err.Error()}, nil)
		}
	}
	x.server.Respond(out)
	if x == x.call.initial && out.Status < 200 {
		x.call.rings(out)
	}
}

// response is a response of the far side as the asking side shall see it. The
// error says that the SDP in it cannot be relayed.
func (x *exchange) response(resp *sip.Message, b *branch) (out *sip.Message, err error) {
	c := x.call
	out = sip.NewResponse(x.server.Request, resp.Status, resp.Reason)
	switch {
	case b != nil:
		out.Set("To", sip.WithTag(out.Get("To"), b.dialogs[x.from].LocalTag))
	case out.ToTag() == "" && (resp.ToTag() != "" || resp.Status >= 200):
		out.Set("To", sip.WithTag(out.Get("To"), c.tagTowardsA(resp.ToTag())))
	}
	switch contacts := resp.List("Contact"); {
	case resp.Status >= 300: // targets of a redirection are the far side's
		for _, v := range resp.All("Contact") {
			out.Add("Contact", v)
		}
	case len(contacts) > 0:
		out.Set("Contact", ourContact(contacts[0], c.legs[x.from].contact))
	case x.method == "INVITE" || x.method == "UPDATE": // it needs one (RFC 3261 §12.1.1), even if theirs lacks it
		out.Set("Contact", ourContact("", c.legs[x.from].contact))
	}
	mirror(out, resp)
	if resp.Status/100 == 2 && b != nil && (x.method == "INVITE" || x.method == "UPDATE" && b == c.current) {
		c.session.agree(x, resp, out)
	}
	if x == c.initial && resp.Status < 200 && b != nil {
		c.showProvisional(out, b)
	}
	if len(out.Body) == 0 || resp.Status >= 300 {
		return out, nil
	}
	said, err := x.reads(out)
	if err == nil {
		err = c.media.response(c, x, b, resp.Status, said, resp.Status >= 200 || resp.Has("RSeq"))
	}
	if resp.Status >= 200 && (x.method == "INVITE" || x.method == "UPDATE") {
		c.wishes(other(x.from), said)
	}
	c.anchorBody(out, x.method, other(x.from), x.offer, said)
	return out, err
}

// request builds the request of leg other(from) for one of leg from.
func (x *exchange) request(req *sip.Message, d *dialog.Dialog) *sip.Message {
	c := x.call
	to := other(x.from)
	out := c.numbered(d, req)
	out.Set("Max-Forwards", strconv.Itoa(maxForwards(req)-1))
	contacts := req.List("Contact")
	switch {
	case len(contacts) > 0:
		out.Set("Contact", ourContact(contacts[0], c.legs[to].contact))
	case req.Method == "INVITE" || req.Method == "UPDATE":
		out.Set("Contact", ourContact("", c.legs[to].contact))
	}
	mirror(out, req)
	c.srv.references.translate(out)
	if to == sideB {
		x.branch.login.sign(out)
	}
	return out
}

// maxKept bounds the numbers that are taken over, so that there is room for our
// own requests after them (RFC 3261 §8.1.1.5).
const maxKept = 1<<31 - 1<<16

// numbered begins the request of a leg for one of the other. Where identities
// are preserved it keeps its number, as long as that goes on rising.
func (c *Call) numbered(d *dialog.Dialog, req *sip.Message) *sip.Message {
	n := req.CSeq().Num
	if c.rewrites() || n <= d.LocalCSeq || n > maxKept {
		return d.Request(req.Method)
	}
	d.LocalCSeq = n
	return d.RequestCSeq(req.Method, n)
}
