package txn

import (
	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
)

// DialogHandler gets what belongs to a dialog that was bound to it with
// Lane.Bind. Every method runs on the lane's goroutine and must not block.
type DialogHandler interface {
	// OnRequest gets each new request but ACK and CANCEL. It answers, now or
	// later, with tx.Respond or tx.Reply.
	OnRequest(tx *ServerTx)
	// OnAck gets each ACK of a 2xx, retransmissions included.
	OnAck(lane *Lane, ack *sip.Message, flow transport.Flow)
	// OnCancel is called while tx, an INVITE, has no final response; the
	// CANCEL has been answered, the INVITE has not (RFC 3261 §9.2).
	OnCancel(tx *ServerTx, cancel *sip.Message)
}

// Handler gets what no bound dialog claims.
type Handler interface{ DialogHandler }

// ClientHandler hears how a request of ours fares, on the lane's goroutine.
// No method is called before Lane.Request has returned.
type ClientHandler interface {
	// OnResponse gets every 1xx in order and the final response; for an
	// INVITE every 2xx for 64*T1, retransmissions and other To-tags included
	// (RFC 3261 §13.2.2.4, RFC 6026). Non-2xx are ACKed by the layer.
	OnResponse(tx *ClientTx, resp *sip.Message, flow transport.Flow)
	// OnFail is called at most once, when no final response will come. err
	// is or wraps ErrTimeout, ErrTransport, ErrTimerC or ErrCanceled.
	OnFail(tx *ClientTx, err error)
}
