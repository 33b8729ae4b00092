package app

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"sidetrack/internal/pcap"
	"sidetrack/internal/sip"
	"sidetrack/internal/sip/body"
)

// ErrNoInvite: a file holds no INVITE that begins a call.
var ErrNoInvite = errors.New("no INVITE that begins a call in it; what can be tried is an INVITE as text, or a pcap or pcapng capture with one")

// FoundInvite is an INVITE of a file that begins a call.
type FoundInvite struct {
	Where    string         // packet or line
	CallID   string         // of the INVITE
	From, To netip.AddrPort // of a capture; invalid in a text
	Proto    string         // udp or tcp in a capture; "" in a text
	raw      []byte
	answer   []byte // what the callee has answered, where the file has that: SDP
}

// ReadInvites finds the INVITEs of a file, a capture or text.
func ReadInvites(data []byte) ([]FoundInvite, error) {
	var found []FoundInvite
	var broken error
	take := func(raw []byte, m FoundInvite) {
		msg, err := sip.Parse(raw)
		switch {
		case err != nil && bytes.HasPrefix(raw, []byte("INVITE ")):
			if broken == nil {
				broken = fmt.Errorf("the INVITE of %s cannot be read: %w", m.Where, err)
			}
		case err != nil:
		case msg.IsResponse():
			for i := range found {
				found[i].answered(msg)
			}
		case msg.Method == "INVITE" && msg.ToTag() == "":
			m.raw, m.CallID = raw, msg.CallID()
			found = append(found, m)
		}
	}
	if pcap.Is(data) {
		err := pcap.Read(data, startLine, func(m pcap.Message) {
			take(m.Data, FoundInvite{Where: fmt.Sprintf("packet %d", m.Packet), From: m.From, To: m.To, Proto: m.Proto})
		})
		if err != nil {
			return nil, err
		}
	} else {
		eachText(data, take)
	}
	switch {
	case len(found) > 0:
		return found, nil
	case broken != nil:
		return nil, broken
	}
	return nil, ErrNoInvite
}

// answered takes the description of the 2xx to the INVITE; the first one counts,
// which in a capture of both legs is the callee's own.
func (f *FoundInvite) answered(resp *sip.Message) {
	if f.answer != nil || resp.Status/100 != 2 || resp.CallID() != f.CallID || resp.CSeq().Method != "INVITE" {
		return
	}
	if part, ok := body.Find(resp, "application/sdp"); ok {
		f.answer = part.Body
	}
}

// startLine tells whether a line begins an INVITE or a response.
func startLine(line string) bool {
	line = strings.TrimRight(line, "\r\n")
	return strings.HasPrefix(line, "INVITE ") && strings.HasSuffix(line, " SIP/2.0") || strings.HasPrefix(line, "SIP/2.0 ")
}

// eachText gives the messages of a text: each begins with its start line at the
// beginning of a line, and ends before the next. Other requests end one, too.
func eachText(data []byte, take func([]byte, FoundInvite)) {
	lines := strings.SplitAfter(strings.TrimPrefix(string(data), "\uFEFF"), "\n")
	begin := -1
	end := func(at int) {
		if begin >= 0 {
			take(described(sip.Mend([]byte(strings.Join(lines[begin:at], "")))), FoundInvite{Where: fmt.Sprintf("line %d", begin+1)})
		}
		begin = -1
	}
	for i, l := range lines {
		switch l = strings.TrimRight(l, "\r\n"); {
		case startLine(l):
			end(i)
			begin = i
		case strings.HasSuffix(l, " SIP/2.0"):
			end(i)
		}
	}
	end(len(lines))
}

// described cuts what a log has written behind a session description.
func described(raw []byte) []byte {
	head, rest, ok := bytes.Cut(raw, []byte("\r\n\r\n"))
	if !ok || !bytes.HasPrefix(rest, []byte("v=")) {
		return raw
	}
	n := 0
	for line := range bytes.SplitAfterSeq(rest, []byte("\r\n")) {
		if len(line) < 2 || line[1] != '=' {
			break
		}
		n += len(line)
	}
	return append(append(bytes.Clone(head), "\r\n\r\n"...), rest[:n]...)
}
