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
	recordRoute := status > 100 && status < 300 && makesDialog(req.Method)
	var seen uint8
	for _, h := range req.Headers {
		kind := replied(h.Name)
		switch {
		case kind == copyNever,
			kind == copyTimestamp && status != 100,
			kind == copyRecordRoute && !recordRoute:
			continue
		case kind >= copyOnce:
			if seen&kind != 0 {
				continue
			}
			seen |= kind
		}
		resp.Headers = append(resp.Headers, h)
	}
	resp.parsed = req.parsed
	return resp
}

// Which fields of a request a response repeats; those from copyOnce on are bits of a set.
const (
	copyNever       = 0
	copyVia         = 1
	copyRecordRoute = 2
	copyTimestamp   = 3
	copyOnce        = 1 << 2
)

func replied(name string) uint8 {
	name = LongName(name)
	// The length settles most names without a comparison.
	switch len(name) {
	case 2:
		return oneOf(name, "To", copyOnce)
	case 3:
		return oneOf(name, "Via", copyVia)
	case 4:
		return max(oneOf(name, "From", copyOnce<<1), oneOf(name, "CSeq", copyOnce<<2))
	case 7:
		return oneOf(name, "Call-ID", copyOnce<<3)
	case 9:
		return oneOf(name, "Timestamp", copyTimestamp)
	case 12:
		return oneOf(name, "Record-Route", copyRecordRoute)
	}
	return copyNever
}

func oneOf(name, want string, kind uint8) uint8 {
	if SameName(name, want) {
		return kind
	}
	return copyNever
}

// makesDialog tells whether a request of that method can create a dialog (RFC 3261 §12.1, RFC 6665 §4.1, RFC 3515).
func makesDialog(method string) bool {
	switch method {
	case "INVITE", "SUBSCRIBE", "NOTIFY", "REFER":
		return true
	}
	return false
}
