package recorder

import (
	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
)

const (
	allow  = "INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO"
	accept = "application/sdp, application/rs-metadata+xml, application/rs-metadata, multipart/mixed"
)

// extensions are the option tags that may stand in Require. 100rel may because we
// answer an INVITE at once with a final response (RFC 3262 §3).
var extensions = []string{"siprec", "timer", "100rel"}

// handler takes what belongs to no session.
type handler struct{ s *Server }

var _ txn.Handler = handler{}

func (h handler) OnRequest(tx *txn.ServerTx) {
	switch {
	case tx.Request.ToTag() != "":
		tx.Reply(481, "")
	case tx.Request.Method == "INVITE":
		h.s.onInvite(tx)
	case tx.Request.Method == "OPTIONS": // answered as an INVITE would be (RFC 3261 §11.2)
		if r := h.s.disk.refusal(); r != nil {
			r.send(tx)
			return
		}
		tx.Reply(200, "", capabilities()...)
	default:
		tx.Reply(405, "", sip.Header{Name: "Allow", Value: allow})
	}
}

func (h handler) OnAck(*txn.Lane, *sip.Message, transport.Flow) {}

func (h handler) OnCancel(tx *txn.ServerTx, _ *sip.Message) { tx.Reply(487, "") }

// capabilities are the fields of an answer to OPTIONS (RFC 3261 §11.2).
func capabilities() []sip.Header {
	return []sip.Header{
		{Name: "Allow", Value: allow},
		{Name: "Accept", Value: accept},
		{Name: "Accept-Encoding", Value: "identity"},
		{Name: "Supported", Value: "siprec, timer"},
	}
}

// refusal is an answer that explains itself.
type refusal struct {
	status  int
	reason  string
	why     string // for the Warning and for the log; "" none
	headers []sip.Header
}

func refuse(status int, why string, headers ...sip.Header) *refusal {
	return &refusal{status: status, why: why, headers: headers}
}

// send answers the request; Warning 399 is for text to people (RFC 3261 §20.43).
func (r *refusal) send(tx *txn.ServerTx) {
	headers := r.headers
	if r.why != "" {
		host := "recorder"
		if l := tx.Flow.Listener; l != nil {
			host = l.SentBy()
		}
		headers = append(headers, sip.Header{Name: "Warning", Value: "399 " + host + " " + sip.Quote(r.why)})
	}
	tx.Reply(r.status, r.reason, headers...)
}

// unsupported returns the option tags of Require that we do not know.
func unsupported(m *sip.Message) (tags string) {
	for _, tag := range m.List("Require") {
		if !containsFold(extensions, tag) {
			if tags != "" {
				tags += ", "
			}
			tags += tag
		}
	}
	return tags
}
