package app

import (
	"context"
	"encoding/json"
	"net/netip"
	"time"

	"sidetrack/b2bua"
	"sidetrack/forker"
	"sidetrack/internal/config"
	"sidetrack/internal/hep"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/trace"
	"sidetrack/src"
)

// mirrorTime is how long the last packets may take to leave.
const mirrorTime = time.Second

// openMirror begins to mirror by HEP where the configuration wants it.
func (a *App) openMirror() error {
	to, err := receiver(a.cfg.HEP)
	if err != nil {
		return err
	}
	a.mirror = hep.Open(hep.Config{Clean: trace.Clean, Log: a.log, Registerer: a.registry}, to)
	return nil
}

// receiver is where a configuration wants things mirrored to; nil: nowhere.
func receiver(h config.HEP) (*hep.Receiver, error) {
	if h.Proto == "" {
		return nil, nil
	}
	to := &hep.Receiver{Proto: h.Proto, Address: h.Address, ID: h.CaptureID, Node: h.Node, Password: h.Password}
	if h.CA != "" {
		t, err := loadTLS("hep", &config.TLS{CA: h.CA})
		if err != nil {
			return nil, err
		}
		to.TLS = t
	}
	return to, nil
}

// closeMirror is called when nothing passes any more.
func (a *App) closeMirror() {
	if a.mirror == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), mirrorTime)
	defer cancel()
	a.mirror.Close(ctx)
}

// observe gives the messages that pass the sockets to the tracer and the mirror.
func (a *App) observe(f transport.Flow, received bool, raw []byte) {
	local := localOf(f)
	a.tracer.Observe(f.Proto, local, f.Remote, received, raw)
	if h := &a.inForce.Load().cfg.HEP; h.Proto == "" || !h.SIP || a.mirror == nil {
		return
	}
	from, to := local, f.Remote
	if received {
		from, to = to, from
	}
	a.mirror.SIP(from, to, f.Proto != "udp", trace.CallID(raw), raw)
}

// localOf is our end of a flow, as far as it is known.
func localOf(f transport.Flow) netip.AddrPort {
	l := f.Listener
	if l == nil {
		return netip.AddrPort{}
	}
	if l.Bound.Addr().IsUnspecified() {
		if addr, err := netip.ParseAddr(l.Advertise); err == nil {
			return netip.AddrPortFrom(addr, l.Bound.Port())
		}
	}
	return l.Bound
}

// onMedia has the RTCP of a call mirrored where that is wanted when the call begins.
func (a *App) onMedia(call string, media *forker.Relay) {
	if h := &a.inForce.Load().cfg.HEP; h.Proto == "" || !h.RTCP {
		return
	}
	media.Watch(forker.Watcher{Control: func(d forker.Datagram) {
		if a.inForce.Load().cfg.HEP.RTCP {
			a.mirror.Send(hep.Packet{Kind: hep.RTCP, At: d.At, From: d.From, To: d.To, CallID: call, Payload: d.Data})
		}
	}})
}

// onDialog tells the mirror of dialogs that belong to a call.
func (a *App) onDialog(dialog, call string) {
	if a.mirror != nil {
		a.mirror.Relate(dialog, call)
	}
}

// mirrorVerdict tells what became of a recording, and that its dialogs have ended.
func (a *App) mirrorVerdict(v src.Verdict) {
	if a.mirror == nil {
		return
	}
	for _, t := range v.View.Attempts {
		a.mirror.Forget(t.SIPCallID)
	}
	if h := &a.inForce.Load().cfg.HEP; h.Proto == "" || !h.Verdict {
		return
	}
	text, err := json.Marshal(verdict(v))
	if err != nil {
		return // a value that is no JSON is a fault of its type
	}
	var us netip.AddrPort
	if all := a.transport.Listeners(); len(all) > 0 {
		us = localOf(transport.Flow{Listener: all[0]})
	}
	a.mirror.Send(hep.Packet{Kind: hep.Log, At: time.Now(), From: us, To: us, CallID: v.View.Call.SIPCallID, Payload: text})
}

// mirrorEnd tells the mirror that a leg with a Call-ID of its own has ended.
func (a *App) mirrorEnd(c b2bua.Summary) {
	if a.mirror != nil && c.LegCallID != "" {
		a.mirror.Forget(c.LegCallID)
	}
}
