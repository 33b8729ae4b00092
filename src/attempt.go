package src

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"sidetrack/internal/sdp"
	"sidetrack/internal/sip"
	"sidetrack/internal/sip/body"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
	"sidetrack/metadata"
)

// attempt is one INVITE to one SRS: a Call-ID and a tag of its own, the same
// session in its body. It ends in one of three ways: taken (leg is set), failed
// (told to the session once), or abandoned. After that it lives on only to put
// right what still arrives: a 2xx that crossed our CANCEL is acknowledged and
// ended with BYE (RFC 3261 §9.1, §13.2.2.4).
type attempt struct {
	s     *Session
	srs   string // what it is called
	began time.Time

	callID, tag string
	*proposal   // nil once the session is taken, by this one
	cseq        uint32
	auth        *authority
	tx          *txn.ClientTx
	timer       *txn.Timer
	leg         *leg
	target      int           // index of srs in its recorder
	hedge       *txn.Timer    // until the next one is asked as well
	acks        []*ack        // of 2xx, one for each To-tag
	invited     *txn.ServerTx // the SRS's INVITE that we have answered, until its ACK; nil: we have sent one
	signed      challenged
	heard       bool // a response has come
	tried       bool // the last one was provisional: somebody is at it
	late        bool // it has been given more time: see Session.waitsFor
	over        bool // failed or abandoned
	held        bool // Client.Close waits for its end
	early       bool // made while another was under way: see hedge
	sealed      bool // SRTP is offered
}

// proposal is what an attempt tells an SRS, and where: needed until one has taken it.
type proposal struct {
	offer     offer
	doc       *metadata.Recording
	targets   []txn.Target // addresses of the SRS not tried yet
	to        txn.Target   // the one being tried
	uri       string       // the Request-URI: the SRS, or where it has redirected us to
	redirects redirects
	session   sessionTimer // what is asked for: only its least counts
	keys      []crypt      // by stream
}

func newAttempt(s *Session, srs string) *attempt {
	return &attempt{
		s: s, srs: srs, began: s.now(), auth: &authority{who: s.recorder.Auth}, target: s.target, sealed: s.sealed,
		proposal: &proposal{uri: s.recorder.uris[s.target]},
	}
}

// begin resolves the SRS and sends. The time runs from here: it covers DNS,
// connecting and ringing alike, and no 1xx extends it, but for Session.waitsFor.
func (a *attempt) begin() {
	a.hold()
	a.timer = a.s.lane.After(a.s.recorder.Timeout, a.onTimeout)
	a.s.lane.Resolve(a.uri, a.onResolved)
}

func (a *attempt) onResolved(found []txn.Target, err error) {
	if a.over {
		a.release()
		return
	}
	if err == nil && len(found) == 0 {
		err = errors.New("no address")
	}
	if err != nil {
		a.release()
		a.fail(codeTransport, "resolving: "+err.Error())
		return
	}
	if err := a.s.fork(); err != nil {
		a.s.log.Error("stream left out", "error", err)
	}
	a.targets = found
	a.callID, a.tag = a.s.lane.NewCallID(a.s.client.host()), sip.NewTag()
	a.s.load(a)
	if a.s.taken {
		a.s.builder.Moved(a.s.holdsFrom())
	}
	a.offer, a.doc = a.s.newOffer(), a.s.document()
	a.keep()
	a.s.sipCallID = a.callID
	if tell := a.s.client.cfg.OnDialog; tell != nil {
		tell(a.callID, a.s.call.invite.CallID)
	}
	a.s.publish()
	a.s.lane.Bind(a.callID, a.tag, a)
	a.send()
}

// onRedirected goes on at the place that the SRS has named.
func (a *attempt) onRedirected(found []txn.Target, err error) {
	switch {
	case a.over:
		a.close()
	case err == nil && len(found) > 0:
		a.targets = found
		a.send()
	case !a.redirect():
		a.close()
		a.fail(codeTransport, "redirected to "+a.uri+", which cannot be resolved")
	}
}

// send sends the INVITE to the next address.
func (a *attempt) send() {
	if a.targets = a.reaches(a.targets); len(a.targets) == 0 {
		a.close()
		a.fail(codeUnusable, reasonKeysInClear)
		return
	}
	a.to = a.s.recorder.leaving(a.s.client.cfg.Transport, a.targets[0])
	a.targets = a.targets[1:]
	a.again()
}

// again sends it to the same address, with the next CSeq.
func (a *attempt) again() {
	a.cseq++
	req, err := a.invite(a.to)
	if err != nil {
		a.close()
		a.fail(codeTransport, "writing the metadata: "+err.Error())
		return
	}
	a.auth.sign(req)
	a.tx = a.s.lane.Request(req, a.to, a)
}

// fail tells the session once.
func (a *attempt) fail(code int, reason string) {
	if a.over {
		return
	}
	a.over = true
	a.timer.Stop()
	a.hedge.Stop()
	a.s.onAttemptFailed(a, code, reason)
}

// abandon gives the attempt up: CANCEL, if there is anything to cancel.
func (a *attempt) abandon() {
	if a.over {
		return
	}
	a.over = true
	a.timer.Stop()
	a.hedge.Stop()
	a.cancel()
}

func (a *attempt) cancel() {
	if a.tx != nil {
		a.tx.Cancel()
	}
	if !a.heard {
		a.release() // nobody there to wait for
	}
}

func (a *attempt) onTimeout() {
	if a.over || a.leg != nil {
		return
	}
	limit := a.s.recorder.Timeout
	if !a.late && a.s.waitsFor(a) {
		a.late = true
		a.timer.Again((patience - 1) * limit)
		return
	}
	if a.late {
		limit *= patience
	}
	a.cancel()
	a.fail(codeTimeout, fmt.Sprintf("no final answer within %v", limit))
}

// OnResponse takes a response to the INVITE (txn.ClientHandler).
func (a *attempt) OnResponse(tx *txn.ClientTx, resp *sip.Message, flow transport.Flow) {
	a.heard, a.tried = true, resp.Status < 200
	if resp.Status > 100 && resp.Status < 200 { // any proxy says 100; of the final one the attempt tells
		a.s.client.metrics.reached(a.s.recorder.Name, a.srs, true)
	}
	switch {
	case resp.Status < 200:
	case resp.Status < 300:
		a.onSuccess(tx, resp, flow)
	case a.challenge(resp), a.lengthen(resp), a.moved(resp):
	default:
		if wait := retryAfter(resp); (resp.Status == 500 || resp.Status == 503) && wait > 0 {
			a.s.client.health.busy(a.s.recorder.Name, a.srs, wait)
		}
		a.close()
		a.fail(resp.Status, resp.Reason)
	}
}

// OnFail is told that no final response will come (txn.ClientHandler).
func (a *attempt) OnFail(_ *txn.ClientTx, err error) {
	a.s.client.noteCertificate(a.s.recorder, a.srs, err)
	transport := !errors.Is(err, txn.ErrTimeout) && !errors.Is(err, txn.ErrTimerC)
	if transport && len(a.targets) > 0 && !a.over {
		a.send() // RFC 3263 §4.3
		return
	}
	if a.redirect() {
		return
	}
	a.close()
	if transport {
		a.fail(codeTransport, err.Error())
		return
	}
	a.fail(codeTimeout, err.Error())
}

// onSuccess takes a 2xx: the first, a repeated one, or one of another fork.
func (a *attempt) onSuccess(tx *txn.ClientTx, resp *sip.Message, flow transport.Flow) {
	tag := resp.ToTag()
	if i := slices.IndexFunc(a.acks, func(k *ack) bool { return k.tag == tag }); i >= 0 {
		a.acks[i].again()
		return
	}
	l := newLeg(a.s.lane, a.auth, tx, resp, flow)
	a.acks = append(a.acks, l.ack(resp.CSeq().Num))
	if a.over || a.leg != nil {
		a.s.logger().Info("late answer of an SRS ended with BYE", "srs", a.srs, "sip_call_id", a.callID)
		a.s.bye(l, nil, a.close)
		return
	}
	answers, why := a.read(resp)
	if why != "" {
		a.s.bye(l, nil, a.close)
		a.fail(codeUnusable, fmt.Sprintf("%d %s, but %s", resp.Status, resp.Reason, why))
		return
	}
	a.leg = l
	a.timer.Stop()
	a.hedge.Stop()
	a.timer, a.hedge = nil, nil
	a.release()
	a.s.win(a)
	a.s.note(a, resp.Status, "")
	a.s.timer = a.session
	a.s.timer.fromResponse(a.s, resp)
	a.s.onUp(a, answers)
}

// lengthen answers a 422 by asking for the session timer that the SRS wants (RFC
// 4028 §7.3).
func (a *attempt) lengthen(resp *sip.Message) bool {
	if a.over || a.s.recorder.Session.Expires == 0 || !a.session.lengthen(resp) {
		return false
	}
	a.again()
	return true
}

// read reads the answer of a 2xx; why says what is wrong with it.
func (a *attempt) read(resp *sip.Message) (answers []answered, why string) {
	description := descriptionOf(resp)
	if description == nil {
		return nil, "without a session description"
	}
	answers, usable, why := a.offer.match(description)
	if !usable {
		return nil, "no stream can be sent: " + why
	}
	return answers, ""
}

// descriptionOf is the session description of a message, be it alone or in a
// multipart; nil when there is none that can be read.
func descriptionOf(m *sip.Message) *sdp.Session {
	part, ok := body.Find(m, sdpType)
	if !ok {
		return nil
	}
	parsed, err := sdp.Parse(part.Body)
	if err != nil {
		return nil
	}
	return parsed
}

// close lets go of the dialog's identity, when nothing more can come of it.
func (a *attempt) close() {
	if a.leg == nil {
		a.s.lane.Unbind(a.callID, a.tag)
		a.conclude()
	}
	a.release()
}

// conclude lets go of the INVITE when its dialogs have ended: until 64*T1 have
// passed it would hold the whole session.
func (a *attempt) conclude() {
	if a.tx == nil {
		return
	}
	acks := map[string]*txn.Sent{}
	for _, k := range a.acks {
		acks[k.tag] = k.sent
	}
	a.tx.Conclude(acks)
}

func (a *attempt) hold() {
	a.held = true
	a.s.client.hold()
}

func (a *attempt) release() {
	if a.held {
		a.held = false
		a.s.client.release()
	}
}
