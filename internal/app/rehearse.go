package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"time"

	"sidetrack/b2bua"
	"sidetrack/internal/config"
	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
	"sidetrack/policy"
	"sidetrack/src"
)

// RehearseOptions say how an INVITE is to be thought of as coming in.
type RehearseOptions struct {
	Source   netip.Addr // of its packet; invalid: as the capture or the top Via says
	Listener string     // URL of one of sip.listen; "": the first that fits
	At       time.Time  // when; zero: now
	Ask      bool       // programs that decide are asked; else they are taken to leave all as the rule says
	Version  string     // of the program, for User-Agent
	Log      *slog.Logger
}

// rehearseTime bounds a rehearsal in which no program is asked.
const rehearseTime = 5 * time.Second

// Rehearse tells what would become of a call that begins with f under cfg: its
// route, its rules, and what would be sent to whom. A proxy is built as ever and
// handles the INVITE, with nothing but its sockets taken away: the callee takes
// the call at once, and no SRS answers. The error is for an INVITE that cannot
// come in at all.
func Rehearse(ctx context.Context, cfg *config.Config, f FoundInvite, opt RehearseOptions) (*Rehearsal, error) {
	limit := rehearseTime
	for _, r := range cfg.Policy.Rules {
		if opt.Ask && r.Decide != nil {
			limit += r.Decide.Timeout
		}
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	r := &rehearsal{cfg: cfg, found: f, opt: opt, news: make(chan struct{}, 1)}
	if err := r.build(); err != nil {
		return nil, err
	}
	defer func() { _ = r.app.shut() }() // of what was never bound
	if err := r.comeIn(); err != nil {
		return nil, err
	}
	if out := r.await(ctx, func(p posted) bool { return p.msg.Method == "INVITE" || r.final(p) }); out != nil && out.msg.Method == "INVITE" {
		r.answerCall(ctx, out)
	}
	r.settle(ctx)
	return r.result(), nil
}

// rehearsal is one under way.
type rehearsal struct {
	cfg   *config.Config
	found FoundInvite
	opt   RehearseOptions
	app   *App

	listener *transport.Listener
	source   netip.AddrPort
	invite   *policy.Invite

	mu   sync.Mutex
	sent []posted
	news chan struct{} // something has been sent
}

// posted is one message that would have left.
type posted struct {
	flow transport.Flow
	msg  *sip.Message
	raw  []byte
}

func (r *rehearsal) build() error {
	now := time.Now
	if at := r.opt.At; !at.IsZero() {
		began := time.Now()
		now = func() time.Time { return at.Add(time.Since(began)) }
	}
	opt := Options{Log: r.opt.Log, Version: r.opt.Version, pretend: &pretend{send: r.post, now: now}}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if !r.opt.Ask {
		opt.pretend.ask = func(context.Context, *policy.Ask, src.Question) (src.Answer, error) {
			return src.Answer{Record: true}, nil
		}
	}
	a, err := New(pretended(r.cfg), opt)
	if err != nil {
		return err
	}
	r.app = a
	a.txn.Start(a.calls)
	for _, l := range r.cfg.SIP.Listeners {
		if _, err := a.transport.Listen(l.URL, l.Advertise); err != nil {
			return errors.Join(fmt.Errorf("sip.listen: %w", err), a.shut())
		}
	}
	return nil
}

// post takes what the proxy sends.
func (r *rehearsal) post(f transport.Flow, raw []byte) {
	msg, err := sip.Parse(raw)
	if err != nil {
		return // of our own making: cannot be
	}
	r.mu.Lock()
	r.sent = append(r.sent, posted{f, msg, raw})
	r.mu.Unlock()
	select {
	case r.news <- struct{}{}:
	default:
	}
}

// comeIn has the INVITE received.
func (r *rehearsal) comeIn() error {
	msg, err := sip.Parse(r.found.raw)
	if err != nil {
		return err
	}
	r.source = r.sender(msg)
	if r.listener, err = r.receiver(msg); err != nil {
		return err
	}
	flow := transport.Flow{Proto: r.listener.Proto, Listener: r.listener, Remote: r.source}
	r.invite = b2bua.InviteOf(msg, flow, r.app.clock()())
	if route, ok := r.app.policy.Load().Route(r.invite); ok {
		r.invite.Route = route.Name
	}
	r.app.transport.Inject(r.listener, r.source, r.found.raw)
	return nil
}

// sender is where the INVITE comes from.
func (r *rehearsal) sender(msg *sip.Message) netip.AddrPort {
	via := msg.TopVia()
	port := uint16(5060)
	if via.Port > 0 && via.Port < 1<<16 {
		port = uint16(via.Port)
	}
	switch {
	case r.opt.Source.IsValid():
		return netip.AddrPortFrom(r.opt.Source, port)
	case r.found.From.IsValid():
		return r.found.From
	}
	received, _ := via.Params.Get("received")
	for _, text := range []string{received, strings.Trim(via.Host, "[]")} {
		if addr, err := netip.ParseAddr(text); err == nil {
			return netip.AddrPortFrom(addr, port)
		}
	}
	return netip.AddrPortFrom(loopback(0), port)
}

// receiver is the listener that it comes in by: the one asked for, the one that
// the capture shows, or the first of its protocol and address family.
func (r *rehearsal) receiver(msg *sip.Message) (*transport.Listener, error) {
	all := r.app.transport.Listeners()
	for _, l := range all {
		if l.URL == r.opt.Listener || r.opt.Listener == "" && l.Bound == r.found.To && l.Proto == r.found.Proto {
			return l, nil
		}
	}
	if r.opt.Listener != "" {
		return nil, fmt.Errorf("%s is not in sip.listen", r.opt.Listener)
	}
	proto := strings.ToLower(msg.TopVia().Transport)
	var best *transport.Listener
	for _, l := range all {
		family := l.Bound.Addr().Is4() == r.source.Addr().Unmap().Is4()
		if family && (l.Proto == proto || best == nil) {
			if best = l; l.Proto == proto {
				break
			}
		}
	}
	if best == nil {
		return nil, fmt.Errorf("no listener for packets of %s", r.source.Addr())
	}
	return best, nil
}

// await returns the first message of the proxy that is wanted, nil when none comes.
func (r *rehearsal) await(ctx context.Context, wanted func(posted) bool) *posted {
	for {
		r.mu.Lock()
		for i := range r.sent {
			if wanted(r.sent[i]) {
				p := r.sent[i]
				r.mu.Unlock()
				return &p
			}
		}
		r.mu.Unlock()
		select {
		case <-r.news:
		case <-ctx.Done():
			return nil
		}
	}
}

// final tells the caller's final response.
func (r *rehearsal) final(p posted) bool {
	return p.msg.Status >= 200 && p.msg.CSeq().Method == "INVITE" && p.msg.CallID() == r.found.CallID
}

// answerCall has the callee take the call, and the caller acknowledge it.
func (r *rehearsal) answerCall(ctx context.Context, out *posted) {
	r.app.transport.Inject(out.flow.Listener, out.flow.Remote, accept(out, r.found.answer).Bytes())
	if describes(out.msg) {
		return // the recording begins with the answer
	}
	if ok := r.await(ctx, r.final); ok != nil && ok.msg.Status < 300 {
		r.app.transport.Inject(r.listener, r.source, acknowledge(r.found.raw, ok.msg).Bytes())
	}
}

// settle returns when nothing more can come of what has come in: the lanes have
// done their work, and no program is being asked.
func (r *rehearsal) settle(ctx context.Context) {
	for ctx.Err() == nil {
		before := r.count()
		r.rest(ctx)
		if r.app.recorder.Asking() > 0 {
			select {
			case <-time.After(2 * time.Millisecond):
			case <-ctx.Done():
			}
			continue
		}
		if r.rest(ctx); r.count() == before && r.app.recorder.Asking() == 0 {
			return
		}
	}
}

func (r *rehearsal) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.sent)
}

// rest waits until each lane has handled what it had.
func (r *rehearsal) rest(ctx context.Context) {
	for _, lane := range r.app.txn.Lanes() {
		done := make(chan struct{})
		lane.Post(func() { close(done) })
		select {
		case <-done:
		case <-ctx.Done():
		}
	}
}

// describes tells whether a message has a session description.
func describes(m *sip.Message) bool { return len(descriptionOf(m)) > 0 }

// acknowledge is the caller's ACK of a 2xx that made the offer.
func acknowledge(invite []byte, ok *sip.Message) *sip.Message {
	asked, err := sip.Parse(invite)
	contact, has := ok.Contact()
	if err != nil || !has {
		return sip.NewRequest("ACK", "sip:invalid")
	}
	ack := sip.NewRequest("ACK", contact.URI)
	for _, name := range []string{"Via", "From", "Call-ID"} {
		ack.Add(name, asked.Get(name))
	}
	ack.Set("Via", strings.Replace(ack.Get("Via"), ";branch=", ";branch=z9hG4bKack", 1))
	ack.Add("To", ok.Get("To"))
	ack.Add("Max-Forwards", "70")
	ack.Add("CSeq", sip.CSeq{Num: asked.CSeq().Num, Method: "ACK"}.String())
	ack.SetBody("application/sdp", mirrored(descriptionOf(ok)))
	return ack
}

// accept is the callee's 2xx. Where nobody knows what he would say he takes all
// that is offered, and offers G.711 where nothing is.
func accept(out *posted, said []byte) *sip.Message {
	resp := sip.NewResponse(out.msg, 200, "")
	resp.Set("To", sip.WithTag(resp.Get("To"), "callee"))
	resp.Add("Contact", "<sip:callee@"+out.flow.Remote.String()+">")
	switch offered := descriptionOf(out.msg); {
	case len(said) > 0:
		resp.SetBody("application/sdp", said)
	case len(offered) > 0:
		resp.SetBody("application/sdp", mirrored(offered))
	default:
		resp.SetBody("application/sdp", []byte(anOffer))
	}
	return resp
}

const anOffer = "v=0\r\no=- 1 1 IN IP4 192.0.2.2\r\ns=-\r\nc=IN IP4 192.0.2.2\r\nt=0 0\r\n" +
	"m=audio 40000 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\n"

// mirrored is an answer that takes all of an offer.
func mirrored(offer []byte) []byte {
	var out bytes.Buffer
	for line := range bytes.SplitAfterSeq(offer, []byte("\n")) {
		switch text := strings.TrimRight(string(line), "\r\n"); {
		case text == "a=sendonly":
			out.WriteString("a=recvonly\r\n")
		case text == "a=recvonly":
			out.WriteString("a=sendonly\r\n")
		case strings.HasPrefix(text, "a=setup:"):
			out.WriteString("a=setup:active\r\n")
		case strings.HasPrefix(text, "c=IN IP4 ") && text != "c=IN IP4 0.0.0.0":
			out.WriteString("c=IN IP4 192.0.2.2\r\n")
		case strings.HasPrefix(text, "c=IN IP6 "):
			out.WriteString("c=IN IP6 2001:db8::2\r\n")
		default:
			out.Write(line)
		}
	}
	return out.Bytes()
}
