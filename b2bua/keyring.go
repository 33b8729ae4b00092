package b2bua

import (
	"slices"

	"sidetrack/internal/sdp"
	"sidetrack/internal/srtp"
)

// Who opens SRTP has to know how often the sequence numbers under a key have begun anew
// (RFC 3711 §3.3.1). A party that had the key from the start counts along, so our keys
// stay over holds and refreshes; a device that a PBX puts in its place in mid-call cannot
// know, so it gets a key of its own, under which the count begins at 0. It is another one
// when the session in its o= and its own key both are: who changes his key alone goes on
// counting.

// keyring holds our keys towards a section of a side.
type keyring struct {
	known   []acquaintance // the latest last
	offered *ownKeys       // those of our last offer; nil: there was none
}

// ownKeys are keys of ours, by suite, made when they are first shown.
type ownKeys struct{ keys map[srtp.Suite]*srtp.Key }

// device is what tells those apart who speak for a side: the session of their o=, without
// version and address, and the key that they seal with.
type device struct{ origin, key string }

// acquaintance is a device with the keys that it knows us by.
type acquaintance struct {
	device
	own *ownKeys
}

// maxAcquaintances bounds those of a section, above the forks that one INVITE may have.
const maxAcquaintances = maxForks + 8

func (o *ownKeys) key(suite srtp.Suite) *srtp.Key {
	if o.keys == nil {
		o.keys = map[srtp.Suite]*srtp.Key{}
	}
	if o.keys[suite] == nil {
		if key, err := srtp.NewKey(suite); err == nil { // fails for unknown suites only
			o.keys[suite] = key
		}
	}
	return o.keys[suite]
}

func (k *security) ring(s side, stream int) *keyring {
	at := ownSection{s, stream}
	if k.rings[at] == nil {
		k.rings[at] = &keyring{}
	}
	return k.rings[at]
}

// deviceOf is who has said m, a section of d; both may be nil.
func (k *security) deviceOf(d *sdp.Session, m *sdp.Media) (who device) {
	if d == nil || m == nil {
		return who
	}
	o := d.Origin()
	who.origin = o.Username + " " + o.SessionID
	if c, ok := k.line(m); ok {
		who.key = string(c.Key.Master) + string(c.Key.Salt)
	}
	return who
}

// own are the keys that the device knows us by that has said d.
func (k *security) own(s side, i int, d *sdp.Session) *ownKeys {
	r := k.ring(s, i)
	if own := r.of(k.deviceOf(d, d.Media()[i])); own != nil {
		return own
	}
	return r.last()
}

// of are the keys that a device knows us by, be it by another key of its own or by another
// o=, the latest of several; nil for one that is new.
func (r *keyring) of(who device) (like *ownKeys) {
	for _, a := range slices.Backward(r.known) {
		switch {
		case a.device == who:
			return a.own
		case like == nil && (a.origin == who.origin || who.key != "" && a.key == who.key):
			like = a.own
		}
	}
	return like
}

// last are the keys that were offered last.
func (r *keyring) last() *ownKeys {
	if r.offered == nil {
		r.offered = &ownKeys{}
	}
	return r.offered
}

// meet takes the offer of a device; one that is new is answered with new keys.
func (r *keyring) meet(who device) {
	own := r.of(who)
	if own == nil {
		own = &ownKeys{}
	}
	r.note(who, own)
}

// answered takes the answer of a device to our offer, whose keys it knows us by from now on. It
// tells whether another device may have used them before.
func (r *keyring) answered(who device) (late bool) {
	late = len(r.known) > 0 && r.of(who) == nil
	r.note(who, r.last())
	return late
}

// offer are the keys of an offer to who answered last, new ones where they are to be renewed.
func (r *keyring) offer(who device, renewed bool) *ownKeys {
	if own := r.of(who); own != nil && !renewed {
		r.offered = own
	}
	return r.last()
}

func (r *keyring) note(who device, own *ownKeys) {
	r.known = slices.DeleteFunc(r.known, func(a acquaintance) bool { return a.device == who })
	if len(r.known) >= maxAcquaintances {
		r.known = slices.Delete(r.known, 0, 1)
	}
	r.known = append(r.known, acquaintance{who, own})
}

// renew has the offers to a side bear new keys until renewed.
func (k *security) renew(s side) {
	k.renews[s] = true
	for at, r := range k.rings {
		if at.side == s {
			r.offered = &ownKeys{}
		}
	}
}

// catchUp gives the device that has come in place of a side new keys, when it cannot know
// how far the count under the ones is that it was offered.
func (c *Call) catchUp(s side) {
	if !c.security.late[s] {
		return
	}
	c.security.late[s] = false
	if c.relay.RolledOver(s) {
		c.lane.After(0, func() { c.rekey(s) })
	}
}

// rekey shows a side what it has been shown last once more, with new keys.
func (c *Call) rekey(s side) {
	switch {
	case c.state == StateEnding:
	case c.current == nil || c.initial.server.Final() == 0 || c.busy():
		c.lane.After(noticeTry, func() { c.rekey(s) })
	default:
		c.log.Info("new SRTP keys for another device", "towards", sideName(s))
		c.security.renew(s)
		c.showAgain(s, &refresh{rekeys: true})
	}
}

// renewed ends what renew has begun, when the offer that it was for is over.
func (k *security) renewed(r *refresh) {
	if r.rekeys {
		k.renews[r.side] = false
	}
}
