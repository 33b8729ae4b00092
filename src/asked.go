package src

import (
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/digest"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
	"sidetrack/policy"
)

// An SRS may ask for a recording of its own accord: it sends us an INVITE
// without a description, with the option tag siprec and the feature tag +sip.srs
// (RFC 7866 §6.1.1), which names a call. Our 200 has the offer and the metadata
// (§9.1), its ACK the answer.
//
//	SRS ──INVITE──► whose is it? may he? which call? ──► lane of the call:
//	    ◄──200────  room for it? ──► lane of the INVITE: Session.asked

// Accept says which SRSs may ask for recordings of which calls. What is set
// must hold; one of the first three must be set.
type Accept struct {
	From        []netip.Prefix      // of the packet
	Certificate []string            // one of these names is in its TLS certificate, which has been verified
	Auth        *digest.Credentials // that it must show

	Calls  func(*policy.Invite) bool // by the INVITE of the call; nil: all
	Tracks policy.Tracks             // "": both

	door *digest.Gate // of Auth
}

// normalize makes the door of a recorder that asks for a password.
func (a *Accept) normalize(recorder string) {
	if a == nil || a.Auth == nil {
		return
	}
	algorithms := []digest.Algorithm{digest.SHA256, digest.MD5}
	realm, keys := "recordings by "+recorder, digest.Keys{}
	for _, algorithm := range algorithms {
		keys[algorithm] = digest.HA1(algorithm, a.Auth.User, realm, a.Auth.Password)
	}
	a.door = digest.NewGate(realm, algorithms, map[string]digest.Keys{a.Auth.User: keys})
}

// OnInvite takes an INVITE without To-tag by which an SRS asks for a recording.
// False means that it is none, or that nobody may ask: it is to be handled like
// any other. It is called on the transaction's lane.
func (c *Client) OnInvite(tx *txn.ServerTx) bool {
	if !asksForRecording(tx.Request) {
		return false
	}
	who := c.accepting()
	if len(who) == 0 {
		return false
	}
	reply := func(status int, why string) { c.refuseAsked(tx, status, why) }
	if unknown := unknownRequired(tx.Request); unknown != "" {
		c.turnAway(tx, 420, sip.Header{Name: "Unsupported", Value: unknown})
		return true
	}
	allowed := slices.DeleteFunc(who, func(r *Recorder) bool { return !c.admits(r, tx) })
	if len(allowed) == 0 {
		c.complain(tx, 403, "this SRS may not ask for recordings")
		c.turnAway(tx, 403, warning("this SRS may not ask for recordings"))
		return true
	}
	proven, challenges := c.proven(allowed, tx)
	if len(proven) == 0 {
		c.turnAway(tx, 401, challenges...)
		return true
	}
	switch {
	case carriesDescription(tx.Request) || len(tx.Request.Body) > 0:
		reply(488, "the offer is ours: an INVITE that asks for a recording has no body")
	case !takesOffer(tx.Request):
		c.answerAsked(tx, 406, sip.Header{Name: "Accept", Value: "application/sdp, multipart/mixed"})
	case c.shut():
		c.answerAsked(tx, 503, sip.Header{Name: "Retry-After", Value: "5"})
	default:
		c.seek(tx, proven, reply)
	}
	return true
}

// asksForRecording tells the INVITE of an SRS: both tags make it one.
func asksForRecording(req *sip.Message) bool {
	if req.Method != "INVITE" || req.ToTag() != "" || !req.HasToken("Require", "siprec") {
		return false
	}
	contact, ok := req.Contact()
	return ok && contact.Params.Has("+sip.srs")
}

// takesOffer tells whether who asks can read a description beside metadata; no
// Accept stands for one who takes what a recording needs.
func takesOffer(req *sip.Message) bool {
	accept := req.List("Accept")
	has := func(types ...string) bool {
		return slices.ContainsFunc(accept, func(v string) bool {
			name, _, _ := strings.Cut(v, ";")
			return slices.Contains(types, strings.ToLower(strings.TrimSpace(name)))
		})
	}
	return len(accept) == 0 || has("application/sdp", "application/*", "*/*") &&
		has("multipart/mixed", "multipart/*", "application/rs-metadata+xml", "application/rs-metadata", "*/*")
}

// accepting are the recorders whose SRSs may ask, by name.
func (c *Client) accepting() (out []*Recorder) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(c.recorders)) {
		if r := c.recorders[name]; r.Accept != nil {
			out = append(out, r)
		}
	}
	return out
}

// admits tells whether an SRS of that recorder may have sent the INVITE.
func (c *Client) admits(r *Recorder, tx *txn.ServerTx) bool {
	a, from := r.Accept, tx.Flow.Remote.Addr().Unmap()
	if len(a.From) > 0 && !slices.ContainsFunc(a.From, func(p netip.Prefix) bool { return p.Contains(from) }) {
		return false
	}
	if len(a.Certificate) == 0 {
		return true
	}
	cert := c.cfg.Transport.PeerCertificate(tx.Flow)
	return cert != nil && (&transport.Authority{Names: a.Certificate}).Bears(cert)
}

// proven are those of recorders whose SRS has shown its password, where it must
// show one, and the challenges to the others.
func (c *Client) proven(all []*Recorder, tx *txn.ServerTx) (ok []*Recorder, challenges []sip.Header) {
	from, now := tx.Flow.Remote.Addr(), c.cfg.Now()
	for _, r := range all {
		verdict := digest.Right
		if r.Accept.Auth != nil {
			_, verdict = r.Accept.door.Check(tx.Request, "Authorization", from, now)
		}
		if verdict == digest.Right {
			ok = append(ok, r)
			continue
		}
		for _, value := range r.Accept.door.Challenges(from, verdict == digest.Stale, now) {
			challenges = append(challenges, sip.Header{Name: "WWW-Authenticate", Value: value})
		}
	}
	return ok, challenges
}

// selection is how an INVITE names the call that is to be recorded.
type selection struct {
	missing int // the status when there is none
	takes   func(id string, in *policy.Invite) bool
}

// selects reads which call is meant: by Join (RFC 3911), by a parameter of the
// Request-URI (call-id, session-id), by its user (our id of the call, its
// Call-ID, one of its parties) or by Session-ID (RFC 7989). False: by nothing.
func selects(req *sip.Message) (selection, bool) {
	if join := req.Get("Join"); join != "" {
		return byJoin(join), true
	}
	u, err := sip.ParseURI(req.RequestURI)
	if err != nil {
		return selection{}, false
	}
	byCallID := func(id string) func(string, *policy.Invite) bool {
		return func(_ string, in *policy.Invite) bool { return in.CallID == id }
	}
	if v, ok := u.Params.Get("call-id"); ok {
		return selection{404, byCallID(unescaped(v))}, true
	}
	if v, ok := u.Params.Get("session-id"); ok {
		return selection{404, bySessionID(v)}, true
	}
	if u.User != "" {
		user := unescaped(u.User)
		return selection{404, func(id string, in *policy.Invite) bool {
			return id == user || in.CallID == user || isParty(in.From, user) || isParty(in.To, user)
		}}, true
	}
	if v := req.Get("Session-ID"); v != "" {
		return selection{404, bySessionID(v)}, true
	}
	return selection{}, false
}

// byJoin finds the call with a dialog that Join names. Of its tags the caller's
// is known here: it must be one of them.
func byJoin(value string) selection {
	callID, rest, _ := strings.Cut(value, ";")
	callID = strings.TrimSpace(callID)
	var tags []string
	for param := range strings.SplitSeq(rest, ";") {
		if name, tag, _ := strings.Cut(param, "="); strings.HasSuffix(strings.ToLower(strings.TrimSpace(name)), "-tag") {
			tags = append(tags, strings.TrimSpace(tag))
		}
	}
	return selection{481, func(_ string, in *policy.Invite) bool {
		from, err := sip.ParseNameAddr(in.Header("From"))
		tag, _ := from.Params.Get("tag")
		return in.CallID == callID && err == nil && slices.Contains(tags, tag)
	}}
}

// bySessionID finds the calls that have an end's part of a Session-ID in common.
func bySessionID(value string) func(string, *policy.Invite) bool {
	wanted := ends(value)
	return func(_ string, in *policy.Invite) bool {
		return slices.ContainsFunc(ends(in.Header("Session-ID")), func(end string) bool { return slices.Contains(wanted, end) })
	}
}

func isParty(a policy.Address, user string) bool {
	return a.User != "" && (unescaped(a.User) == user || unescaped(a.User)+"@"+a.Host == user)
}

func unescaped(s string) string {
	if plain, err := url.PathUnescape(s); err == nil {
		return plain
	}
	return s
}

// seek finds the call and the recorder, and asks on the call's lane for room.
func (c *Client) seek(tx *txn.ServerTx, allowed []*Recorder, reply func(int, string)) {
	by, ok := selects(tx.Request)
	if !ok {
		reply(404, "the INVITE names no call")
		return
	}
	var found []*call
	var forbidden bool
	var recorder *Recorder
	c.mu.Lock()
	for id, k := range c.calls {
		if k.invite == nil || !by.takes(id, k.invite) {
			continue
		}
		i := slices.IndexFunc(allowed, func(r *Recorder) bool { return r.Accept.Calls == nil || r.Accept.Calls(k.invite) })
		if i < 0 {
			forbidden = true
			continue
		}
		found, recorder = append(found, k), allowed[i]
	}
	c.mu.Unlock()
	switch {
	case len(found) > 1:
		reply(485, "several calls are meant")
	case len(found) == 1:
		w := wish{by: InitiatorSRS, recorder: recorder, recorderName: recorder.Name, tracks: recorder.Accept.Tracks, onHold: policy.OnHoldPause}
		if w.tracks == "" {
			w.tracks = policy.TracksBoth
		}
		c.invite(tx, found[0], w)
	case forbidden:
		reply(403, "this call may not be asked for")
	default:
		reply(by.missing, "no such call")
	}
}

// refuseAsked answers an SRS that does not get what it asks for, and says why.
func (c *Client) refuseAsked(tx *txn.ServerTx, status int, why string) {
	c.complain(tx, status, why)
	c.actedInVain(tx, why)
	c.answerAsked(tx, status, warning(why))
}

func (c *Client) complain(tx *txn.ServerTx, status int, why string) {
	c.trouble.warn(c.log, "asked", "recording asked for by an SRS refused",
		"srs", tx.Flow.Remote.String(), "code", status, "reason", why)
}

func warning(why string) sip.Header {
	return sip.Header{Name: "Warning", Value: `399 sidetrack "` + why + `"`}
}

// turnAway answers who has not shown yet that he is one of the SRSs. His address
// may be forged: the answer is not repeated, and nothing is kept.
func (c *Client) turnAway(tx *txn.ServerTx, status int, headers ...sip.Header) {
	c.metrics.asked(status)
	tx.Refuse(status, "", headers...)
}

func (c *Client) answerAsked(tx *txn.ServerTx, status int, headers ...sip.Header) {
	c.metrics.asked(status)
	tx.Reply(status, "", headers...)
}
