package b2bua

import (
	"strings"

	"sidetrack/internal/sip"
)

// onCancel passes a CANCEL of the asking side (RFC 3261 §9.2); the layer has
// answered it already. A re-INVITE gets what the far side then says to it, and
// be it a 200 that crossed the CANCEL: both parties must agree on the session.
func (x *exchange) onCancel(cancel *sip.Message) {
	c := x.call
	defer c.rescued()
	if x.server.Final() != 0 || x.cancelled {
		return
	}
	x.cancelled = true
	switch {
	case x == c.initial:
		c.log.Info("call cancelled by the caller")
		c.abandon(verdict{result: cancelled, status: 487, reason: "cancelled", reasons: reasonsOf(cancel)}, cancel)
	case x.client == nil: // where to send it is still being looked up
		c.srv.reply(x.server, 487, "")
		c.media.rollback(c, x)
		x.finish()
	default:
		x.client.Cancel(alongside(cancel)...)
	}
}

// alongside are the fields of a CANCEL, or of what else ends an early call, that
// our CANCEL takes over: Reason (RFC 3326 §2), Session-ID (RFC 7989 §6) and the
// like, but nothing about a body or credentials, and no Require (RFC 3261 §9.1).
func alongside(m *sip.Message) []sip.Header {
	if m == nil {
		return nil
	}
	var out []sip.Header
	for _, h := range m.Headers {
		if ownHeader(h.Name) == "" && !stays(h.Name) {
			out = append(out, h)
		}
	}
	return out
}

func stays(name string) bool {
	name = strings.ToLower(sip.LongName(name))
	switch name {
	case "require", "proxy-require", "authorization", "proxy-authorization", "mime-version", "rack":
		return true
	}
	return strings.HasPrefix(name, "content-")
}
