package sip

// NewRequest makes a request without any field.
func NewRequest(method, uri string) *Message {
	return &Message{Method: method, RequestURI: uri, Headers: make([]Header, 0, 16)}
}

// NewResponse makes a response to req: Via, From, To, Call-ID and CSeq are copied (RFC 3261 §8.2.6.2), Timestamp into
// a 100 (§8.2.6.1), and Record-Route into a 101–299 for a request that makes a dialog (§12.1.1). An empty reason
// becomes the standard phrase. The To-tag is the caller's affair.
//
// req may be what a ParseError offers: of a field that stands there twice the first is taken, a missing one is left
// out.
func NewResponse(req *Message, status int, reason string) *Message {
	if reason == "" {
		reason = ReasonPhrase(status)
	}
	resp := &Message{Status: status, Reason: reason, Headers: make([]Header, 0, 12)}
	copied := knownVia | knownFrom | knownTo | knownCallID | knownCSeq
	switch {
	case status == 100:
		copied |= knownTimestamp
	case status > 100 && status < 300 && makesDialog(req.Method):
		copied |= knownRecordRoute
	}
	for _, h := range req.Headers {
		kind := knownName(h.Name)
		if copied&kind == 0 {
			continue
		}
		if kind != knownVia && kind != knownRecordRoute {
			copied &^= kind // once
		}
		resp.Headers = append(resp.Headers, h)
	}
	resp.parsed = req.parsed
	return resp
}

// makesDialog tells whether a request of that method can create a dialog (RFC 3261 §12.1, RFC 6665 §4.1, RFC 3515).
func makesDialog(method string) bool {
	switch method {
	case "INVITE", "SUBSCRIBE", "NOTIFY", "REFER":
		return true
	}
	return false
}
