package txn

import "sidetrack/internal/sip"

// Refuse answers a request once and keeps nothing of it: to a stranger, whose
// address may be forged, a response is not repeated, and costs no memory. A
// repetition of the request is a new request (RFC 3261 §8.2.7). Who has had a 100
// already gets it as by Reply. The transaction must not be used afterwards.
func (tx *ServerTx) Refuse(status int, reason string, headers ...sip.Header) {
	c := tx.core
	if c.state != trying && c.state != proceeding {
		return
	}
	if c.last != nil {
		tx.Reply(status, reason, headers...)
		return
	}
	layer := c.lane.layer
	resp := sip.NewResponse(tx.Request, status, reason)
	if resp.ToTag() == "" {
		resp.Set("To", sip.WithTag(resp.Get("To"), layer.statelessTag(c.key)))
	}
	for _, h := range headers {
		resp.Add(h.Name, h.Value)
	}
	flow := c.flow
	c.terminate()
	_ = layer.send(flow, resp.Bytes(), layer.metrics.responseSlot(tx.Request.Method, status))
}

// Shed refuses a request for which there is no room with 503 and Retry-After, as Refuse
// does. Its repetitions have the same answer, whatever room there is by then: the
// sender may have taken the first for final.
func (tx *ServerTx) Shed() {
	c := tx.core
	if c.state != trying && c.state != proceeding {
		return
	}
	if c.last != nil {
		tx.Reply(503, "", sip.Header{Name: "Retry-After", Value: retryAfter})
		return
	}
	c.terminate()
	c.lane.shedRequest(tx.Request, tx.Flow, c.key)
}

// Ignore leaves a request without an answer and keeps nothing of it. The
// transaction must not be used afterwards.
func (tx *ServerTx) Ignore() {
	if c := tx.core; c.state == trying || c.state == proceeding {
		c.terminate()
	}
}
