package transport

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"sidetrack/internal/sip"
)

// Reasons for refusing input, the values given to OnReject.
const (
	rejectParse      = "parse"          // not a SIP message, or one with a fatal fault
	rejectFraming    = "framing"        // a stream on which message borders are lost, or that carries no SIP
	rejectTooLarge   = "too-large"      // a stream message above the limits
	rejectConnLimit  = "conn-limit"     // connection refused, or not made back to its peer, by a cap
	rejectHandshakes = "handshake-rate" // TLS connection refused: too many handshakes of its source
	rejectIdle       = "idle"           // connection closed for silence
	rejectRate       = "rate"           // stateless answer suppressed by the rate limit
	rejectSendFull   = "send-buffer"    // datagram dropped, kernel buffer full
)

// deliver parses one message and hands it on. raw may be used again after it;
// more tells that another message has been read already. What is neither SIP nor
// could be answered as such gives false.
func (t *Layer) deliver(f Flow, raw []byte, more bool) bool {
	m, err := sip.Parse(raw)
	if err != nil {
		return t.refuse(f, err)
	}
	if t.cfg.Trace != nil {
		t.cfg.Trace(f, true, raw)
	}
	if m.IsRequest() {
		stamp(m, f.Remote)
	}
	t.cfg.OnMessage(Inbound{Msg: m, Flow: f, More: more})
	return true
}

// refuse answers a faulty request statelessly where the parser says so, and tells
// whether it does.
func (t *Layer) refuse(f Flow, err error) bool {
	t.reject(rejectParse)
	var pe *sip.ParseError
	if !errors.As(err, &pe) || pe.Status == 0 {
		return false
	}
	t.answerStateless(f, pe.Msg, pe.Status, pe.Reason)
	return true
}

// answerStateless sends a response that no transaction stands behind. ACK and
// responses are never answered (RFC 3261 §17.1.1.3, §18.1.2).
func (t *Layer) answerStateless(f Flow, req *sip.Message, status int, reason string) {
	if req == nil || req.Method == "" || req.Method == "ACK" || req.Get("Via") == "" {
		return
	}
	if !t.answer.allow(time.Now()) {
		t.reject(rejectRate)
		return
	}
	stamp(req, f.Remote)
	resp := sip.NewResponse(req, status, reason)
	if resp.ToTag() == "" && resp.Get("To") != "" {
		resp.Set("To", sip.WithTag(resp.Get("To"), sip.NewTag()))
	}
	if err := t.Send(ResponseFlow(req, f), resp.Bytes()); err != nil {
		t.log.Debug("stateless answer not sent", "remote", f.Remote, "status", status, "error", err)
		return
	}
	if ev := t.watchers(); ev.Stateless != nil {
		ev.Stateless(req.Method, status)
	}
}

// ResponseFlow returns where the response to a request received by f goes
// (RFC 3261 §18.2.2, RFC 3581 §4): back by the same connection, or on UDP to
// the source address, at the source port when the client asked for it with
// rport and else at the port of its Via. maddr is not followed: it would let
// anyone aim our responses.
func ResponseFlow(req *sip.Message, f Flow) Flow {
	if f.Proto != "udp" {
		return f
	}
	via := req.TopVia()
	if via.Params.Has("rport") {
		return f
	}
	port := via.Port
	if port <= 0 || port > 65535 {
		port = 5060
	}
	f.Remote = netip.AddrPortFrom(f.Remote.Addr(), uint16(port))
	return f
}

// ReconnectAddr returns where the sender of a request that came by stream f
// takes connections, for a response whose connection is gone
// (RFC 3261 §18.2.2): its source address at the port of its Via.
func ReconnectAddr(req *sip.Message, f Flow) netip.AddrPort {
	port := req.TopVia().Port
	switch {
	case f.Proto == "udp":
		return netip.AddrPort{}
	case port > 0 && port <= 65535:
	case f.Proto == "tls":
		port = 5061
	default:
		port = 5060
	}
	return netip.AddrPortFrom(f.Remote.Addr(), uint16(port))
}

// stamp writes received and, when asked for, rport into the top Via
// (RFC 3261 §18.2.1, RFC 3581 §4). Other Via values keep their bytes.
func stamp(m *sip.Message, remote netip.AddrPort) {
	via := m.TopVia()
	asked := via.Params.Has("rport")
	if host, err := netip.ParseAddr(via.Host); err == nil && host.Unmap() == remote.Addr() &&
		!asked && !via.Params.Has("received") {
		return
	}
	m.Restamp(stampVia(m.Get("Via"), remote, asked))
}

// stampVia edits the first value of a Via line, which may be a comma list.
func stampVia(line string, remote netip.AddrPort, rport bool) string {
	var room [8]string
	parts, rest := cutParams(room[:0], line)
	var b strings.Builder
	b.Grow(len(line) + 64)
	b.WriteString(parts[0])
	for _, p := range parts[1:] {
		name, _, _ := strings.Cut(p, "=")
		name = strings.TrimSpace(name)
		if strings.EqualFold(name, "received") || strings.EqualFold(name, "rport") {
			continue // a value of the sender's own making must not survive
		}
		b.WriteByte(';')
		b.WriteString(p)
	}
	b.WriteString(";received=")
	b.WriteString(remote.Addr().WithZone("").String())
	if rport {
		b.WriteString(";rport=")
		b.WriteString(strconv.Itoa(int(remote.Port())))
	}
	b.WriteString(rest)
	return b.String()
}

// cutParams splits the first value of a header line at its semicolons, appends what
// stands between them to parts and returns what follows the value, from the comma on.
// Quoted strings are respected.
func cutParams(parts []string, line string) (_ []string, rest string) {
	quoted, from := false, 0
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == ';':
			parts, from = append(parts, strings.TrimSpace(line[from:i])), i+1
		case c == ',':
			return append(parts, strings.TrimSpace(line[from:i])), line[i:]
		}
	}
	return append(parts, strings.TrimSpace(line[from:])), ""
}
