package b2bua

import (
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"sidetrack/internal/sip"
	"sidetrack/metadata"
)

// links know which calls belong together, over all lanes: one replaces another
// (RFC 3891), follows from a REFER in it (RFC 3515), has its Call-ID, or a
// party's half of its Session-ID (RFC 7989). Such calls are one group in the
// metadata of their recordings (RFC 7865 §6.2). The lock is a leaf.
type links struct {
	mu       sync.Mutex
	dialogs  map[dialogKey]*Call // by Call-ID and the lesser and greater tag
	calls    map[string][]*Call  // by Call-ID of leg A
	sessions map[string][]*Call  // by half of a Session-ID
	groups   map[*Call]metadata.Related
	referred []referral
}

// referral is a REFER that was accepted: a call by the referee to the target,
// soon, follows from it.
type referral struct {
	group              metadata.Related
	target             string // URI of Refer-To
	referrer, referred string // URIs of who asked and of who was asked
	until              time.Time
}

// Bounds of what is remembered of REFERs.
const (
	maxReferrals = 1024
	referralLife = time.Minute
)

func newLinks() *links {
	return &links{dialogs: map[dialogKey]*Call{}, calls: map[string][]*Call{}, sessions: map[string][]*Call{}, groups: map[*Call]metadata.Related{}}
}

// linkKey names a dialog whichever side writes its tags.
func linkKey(callID, a, b string) dialogKey {
	if a > b {
		a, b = b, a
	}
	return dialogKey{callID, a, b}
}

// group is that of a call; it has no name while the call is alone.
func (l *links) group(c *Call) metadata.Related {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.groups[c]
}

// enter notes a new call, and ties it to those that its INVITE follows from.
func (l *links) enter(c *Call) {
	half := sessionHalf(c.invite)
	l.mu.Lock()
	var news []*Call
	for _, o := range l.kin(c, half) {
		news = append(news, l.tie(o, c)...)
	}
	if g := l.due(c); g.Name != "" && l.groups[c].Name == "" {
		l.groups[c] = g
	}
	id := c.legs[sideA].callID
	l.calls[id] = append(l.calls[id], c)
	if half != "" {
		l.sessions[half] = append(l.sessions[half], c)
	}
	l.mu.Unlock()
	tell(news)
}

// kin are the live calls that the INVITE of c names. The caller holds mu.
func (l *links) kin(c *Call, half string) []*Call {
	kin := slices.Clone(l.calls[c.legs[sideA].callID])
	for _, name := range []string{"Replaces", "Join"} {
		if v := c.invite.Get(name); v != "" {
			kin = append(kin, l.named(v))
		}
	}
	if half != "" {
		kin = append(kin, l.sessions[half]...)
	}
	return slices.DeleteFunc(kin, func(o *Call) bool { return o == nil })
}

// named finds the call of a value of Replaces or Join.
func (l *links) named(value string) *Call {
	callID, tags := dialogValue(value)
	return l.dialogs[linkKey(callID, tags["to-tag"], tags["from-tag"])]
}

// due is the group of a referral that c follows from, if there is one.
func (l *links) due(c *Call) metadata.Related {
	now := c.lane.Now()
	l.referred = slices.DeleteFunc(l.referred, func(r referral) bool { return now.After(r.until) })
	by := sip.NameAddr{}
	if v := c.invite.Get("Referred-By"); v != "" {
		by, _ = sip.ParseNameAddr(v)
	}
	for i := len(l.referred) - 1; i >= 0; i-- {
		r := l.referred[i]
		if !sameUser(r.target, c.invite.RequestURI) && !sameUser(r.target, c.in.To.URI) {
			continue
		}
		if by.URI != "" && sameUser(by.URI, r.referrer) || sameUser(c.in.From.URI, r.referred) ||
			sameUser(c.who.party[sideA].AOR, r.referred) {
			return r.group
		}
	}
	return metadata.Related{}
}

// refer notes a REFER of side s that was accepted: the call that it may lead to
// belongs to c, and so does the one that its target replaces.
func (l *links) refer(c *Call, s side, req *sip.Message) {
	to, err := sip.ParseNameAddr(req.Get("Refer-To"))
	if err != nil {
		return
	}
	target, query, _ := strings.Cut(to.URI, "?")
	referrer := c.who.party[s].AOR
	if by, err := sip.ParseNameAddr(req.Get("Referred-By")); err == nil && by.URI != "" {
		referrer = by.URI
	}
	l.mu.Lock()
	var news []*Call
	for pair := range strings.SplitSeq(query, "&") {
		name, escaped, _ := strings.Cut(pair, "=")
		if plain, err := url.PathUnescape(escaped); err == nil && strings.EqualFold(name, "Replaces") {
			if o := l.named(plain); o != nil {
				news = append(news, l.tie(c, o)...)
			}
		}
	}
	if l.groups[c].Name == "" {
		l.groups[c] = founded(c)
		news = append(news, c)
	}
	if len(l.referred) >= maxReferrals {
		l.referred = l.referred[1:]
	}
	l.referred = append(l.referred, referral{
		group: l.groups[c], target: target, referrer: referrer, referred: c.who.party[other(s)].AOR,
		until: c.lane.Now().Add(referralLife),
	})
	l.mu.Unlock()
	tell(news)
}

// tie puts two calls, with all that are tied to them, into one group: that of
// the first. It returns whose group has changed. The caller holds mu.
func (l *links) tie(first, second *Call) (news []*Call) {
	if first == second {
		return nil
	}
	to, from := l.groups[first], l.groups[second]
	switch {
	case to.Name == "" && from.Name == "":
		to = founded(first)
	case to.Name == "":
		to, from = from, to
	}
	put := func(c *Call) {
		if l.groups[c] != to {
			l.groups[c] = to
			news = append(news, c)
		}
	}
	if from.Name != "" && from != to {
		for c, g := range l.groups {
			if g == from {
				put(c)
			}
		}
	}
	put(first)
	put(second)
	return news
}

// founded is a new group of a call with others to come.
func founded(c *Call) metadata.Related {
	return metadata.Related{Name: c.id, Since: c.lane.Now()}
}

// tell lets calls tell their recorders of their group, each on its lane.
func tell(calls []*Call) {
	for _, c := range calls {
		c.lane.Post(func() {
			c.media.changed = true
			c.tellRecorder()
		})
	}
}

// put notes the dialogs of a branch.
func (l *links) put(c *Call, b *branch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range b.dialogs {
		l.dialogs[linkKey(d.CallID, d.LocalTag, d.RemoteTag)] = c
	}
}

// drop forgets them.
func (l *links) drop(c *Call, b *branch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, d := range b.dialogs {
		if key := linkKey(d.CallID, d.LocalTag, d.RemoteTag); l.dialogs[key] == c {
			delete(l.dialogs, key)
		}
	}
}

// leave forgets a call.
func (l *links) leave(c *Call) {
	l.mu.Lock()
	defer l.mu.Unlock()
	take := func(m map[string][]*Call, key string) {
		left := slices.DeleteFunc(m[key], func(o *Call) bool { return o == c })
		if m[key] = left; len(left) == 0 {
			delete(m, key)
		}
	}
	take(l.calls, c.legs[sideA].callID)
	take(l.sessions, sessionHalf(c.invite))
	delete(l.groups, c)
}

// held counts what is remembered of live calls.
func (l *links) held() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.dialogs) + len(l.calls) + len(l.sessions) + len(l.groups)
}

// sameUser compares the users of two URIs: hosts change on the way.
func sameUser(a, b string) bool {
	x, errX := sip.ParseURI(a)
	y, errY := sip.ParseURI(b)
	if errX != nil || errY != nil {
		return false
	}
	userX, userY := x.User+x.Opaque, y.User+y.Opaque
	return userX != "" && userX == userY
}
