package b2bua

import (
	"slices"
	"strings"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/dialog"
	"sidetrack/internal/sip/transport"
)

// dialogs find the calls of a lane by the identifiers of their dialogs, for a peer that
// ignores our Contact and sends its requests to another URI of ours. A call that a PBX
// sends back to us as it came is two calls, whose dialogs have the same identifiers
// where these are preserved.
type dialogs struct {
	calls map[dialogKey]*Call
	more  map[dialogKey][]*Call // that have the same as one in calls, in the order of their coming
}

// dialogKey names a dialog as one leg does.
type dialogKey struct{ callID, localTag, remoteTag string }

func keyOf(d *dialog.Dialog) dialogKey { return dialogKey{d.CallID, d.LocalTag, d.RemoteTag} }

func newDialogs() dialogs {
	return dialogs{calls: map[dialogKey]*Call{}, more: map[dialogKey][]*Call{}}
}

// add notes a dialog of a call, once.
func (d *dialogs) add(key dialogKey, c *Call) {
	switch first := d.calls[key]; {
	case first == nil:
		d.calls[key] = c
	case first != c && !slices.Contains(d.more[key], c):
		d.more[key] = append(d.more[key], c)
	}
}

// remove forgets it.
func (d *dialogs) remove(key dialogKey, c *Call) {
	more := d.more[key]
	switch first := d.calls[key]; {
	case first != c:
		more = slices.DeleteFunc(more, func(o *Call) bool { return o == c })
	case len(more) > 0:
		d.calls[key] = more[0]
		more = slices.Delete(more, 0, 1)
	default:
		delete(d.calls, key)
	}
	if d.more[key] = more; len(more) == 0 {
		delete(d.more, key)
	}
}

// find returns the call and the side that a request has come from by a flow, of
// several the one whose peer it is most like; nil when its dialog is unknown.
func (d *dialogs) find(req *sip.Message, flow transport.Flow) (*Call, side) {
	key := dialogKey{req.CallID(), req.ToTag(), req.FromTag()}
	c := d.calls[key]
	if c == nil {
		return nil, sideA
	}
	if more := d.more[key]; len(more) > 0 {
		like := c.likeness(key, req, flow)
		for _, o := range more {
			if l := o.likeness(key, req, flow); l > like {
				c, like = o, l
			}
		}
	}
	return c, c.sideOf(key)
}

func (d *dialogs) len() int { return len(d.calls) + len(d.more) }

// sideOf tells which leg a dialog key belongs to.
func (c *Call) sideOf(key dialogKey) side {
	for _, b := range c.branches {
		if keyOf(b.dialogs[sideB]) == key {
			return sideB
		}
	}
	return sideA
}

// likeness tells how much a request looks like one of this call's peer: by where he was
// last heard, else by where his requests come from or go to by their own word, else by
// his host.
func (c *Call) likeness(key dialogKey, req *sip.Message, flow transport.Flow) int {
	s := c.sideOf(key)
	b := c.branchOf(s, key.localTag, key.remoteTag)
	if b == nil {
		return 0
	}
	d := b.dialogs[s]
	switch heard := d.Flow; {
	case heard.Place() == flow.Place():
		return 3
	case sentBy(req, d.NextHop()), sentTo(req, d.RemoteTarget):
		return 2
	case heard.Remote.Addr().Unmap() == flow.Remote.Addr().Unmap():
		return 1
	}
	return 0
}

// sentBy tells whether a request says that it comes from where a URI leads.
func sentBy(req *sip.Message, uri string) bool {
	u, err := sip.ParseURI(uri)
	via := req.TopVia()
	return err == nil && strings.EqualFold(u.Host, via.Host) && portOf(u.Port) == portOf(via.Port)
}

// sentTo tells whether a request says that its sender is reached by a URI.
func sentTo(req *sip.Message, uri string) bool {
	contact, ok := req.Contact()
	return ok && contact.URI == uri
}

func portOf(named int) int {
	if named == 0 {
		return 5060
	}
	return named
}
