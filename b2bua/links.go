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
	referred []*referral            // the oldest first
	targets  map[string][]*referral // the same, by their target
}

// referral is a REFER that was accepted: a call by the referee to the target,
// soon, follows from it. Of URIs the users count: hosts change on the way.
type referral struct {
	group              metadata.Related
	target             string // of Refer-To
	referrer, referred string // who asked and who was asked
	until              time.Time
}

// Bounds of what is remembered of REFERs.
const (
	maxReferrals = 1024
	referralLife = time.Minute
)

// maxKin is how many live calls may have one Call-ID, or half of a Session-ID,
// which says nothing any more when all calls of a PBX have the same.
const maxKin = 32

func newLinks() *links {
	return &links{dialogs: map[dialogKey]*Call{}, calls: map[string][]*Call{}, sessions: map[string][]*Call{},
		groups: map[*Call]metadata.Related{}, targets: map[string][]*referral{}}
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
	note(l.calls, c.legs[sideA].callID, c)
	if half != "" {
		note(l.sessions, half, c)
	}
	l.mu.Unlock()
	tell(news)
}

func note(m map[string][]*Call, key string, c *Call) {
	if all := m[key]; len(all) <= maxKin {
		m[key] = append(all, c)
	}
}

// kin are the live calls that the INVITE of c names. The caller holds mu.
func (l *links) kin(c *Call, half string) []*Call {
	var kin []*Call
	if same := l.calls[c.legs[sideA].callID]; len(same) <= maxKin {
		kin = append(kin, same...)
	}
	for _, name := range []string{"Replaces", "Join"} {
		if v := c.invite.Get(name); v != "" {
			kin = append(kin, l.named(v))
		}
	}
	if same := l.sessions[half]; half != "" && len(same) <= maxKin {
		kin = append(kin, same...)
	}
	return slices.DeleteFunc(kin, func(o *Call) bool { return o == nil })
}

// named finds the call of a value of Replaces or Join.
func (l *links) named(value string) *Call {
	callID, tags := dialogValue(value)
	return l.dialogs[linkKey(callID, tags["to-tag"], tags["from-tag"])]
}

// due is the group of a referral that c follows from, if there is one. The caller
// holds mu.
func (l *links) due(c *Call) metadata.Related {
	now := c.lane.Now()
	for len(l.referred) > 0 && now.After(l.referred[0].until) {
		l.forgetReferral()
	}
	if len(l.referred) == 0 {
		return metadata.Related{}
	}
	by := ""
	if v := c.invite.Get("Referred-By"); v != "" {
		if n, err := sip.ParseNameAddr(v); err == nil {
			by = userOf(n.URI)
		}
	}
	from, caller := userOf(c.in.From.URI), userOf(c.who.party[sideA].AOR)
	to, asked := userOf(c.invite.RequestURI), userOf(c.in.To.URI)
	latest := l.of(to, by, from, caller)
	if r := l.of(asked, by, from, caller); r != nil && asked != to && (latest == nil || r.until.After(latest.until)) {
		latest = r
	}
	if latest == nil {
		return metadata.Related{}
	}
	return latest.group
}

// of is the latest referral to a target that one of these makes good.
func (l *links) of(target, by, from, caller string) *referral {
	if target == "" {
		return nil
	}
	for _, r := range slices.Backward(l.targets[target]) {
		if by != "" && by == r.referrer || r.referred != "" && (from == r.referred || caller == r.referred) {
			return r
		}
	}
	return nil
}

// note remembers a referral for a while, the latest ones of many.
func (l *links) note(r *referral) {
	if len(l.referred) >= maxReferrals {
		l.forgetReferral()
	}
	l.referred = append(l.referred, r)
	l.targets[r.target] = append(l.targets[r.target], r)
}

// forgetReferral forgets the oldest one.
func (l *links) forgetReferral() {
	r := l.referred[0]
	l.referred[0] = nil
	if l.referred = l.referred[1:]; len(l.referred) == 0 {
		l.referred = nil
	}
	if all := l.targets[r.target]; len(all) > 1 {
		l.targets[r.target] = slices.Delete(all, 0, 1)
	} else {
		delete(l.targets, r.target)
	}
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
	l.note(&referral{
		group: l.groups[c], target: userOf(target), referrer: userOf(referrer), referred: userOf(c.who.party[other(s)].AOR),
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
	take(l.sessions, halfOf(c.in.Header("Session-ID")))
	delete(l.groups, c)
}

// held counts what is remembered of live calls.
func (l *links) held() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.dialogs) + len(l.calls) + len(l.sessions) + len(l.groups)
}

// userOf is the user of a URI, or what else it names somebody by.
func userOf(uri string) string {
	u, err := sip.ParseURI(uri)
	if err != nil {
		return ""
	}
	return u.User + u.Opaque
}
