package sip

// check refuses messages whose meaning is not clear: mandatory fields missing or twice, a CSeq that does not fit, values
// that cannot be read (RFC 3261 §8.1.1, §8.2). What it has read it keeps.
func (m *Message) check() *fault {
	if f := m.checkCounts(); f != nil {
		return f
	}
	if f := m.checkVia(); f != nil {
		return f
	}
	if f := m.checkParties(); f != nil {
		return f
	}
	if id := m.CallID(); id == "" || hasSpaceOrControl(id) {
		return badRequest("Malformed Call-ID")
	}
	cseq, ok := parseCSeq(m.Get("CSeq"))
	if !ok {
		return badRequest("Malformed CSeq")
	}
	if m.IsResponse() {
		return nil
	}
	if cseq.Method != m.Method {
		return badRequest("CSeq Method Differs From Request")
	}
	return m.checkRequest()
}

const (
	mandatory = knownVia | knownFrom | knownTo | knownCallID | knownCSeq
	single    = knownFrom | knownTo | knownCallID | knownCSeq | knownMaxForwards
)

// checkCounts sees that each mandatory field is there and that none stands twice which must not.
func (m *Message) checkCounts() *fault {
	var seen known
	for i := range m.Headers {
		kind := knownName(m.Headers[i].Name)
		if seen&kind&single != 0 {
			return badRequest("Duplicate " + LongName(m.Headers[i].Name))
		}
		seen |= kind
	}
	if seen&mandatory != mandatory {
		return badRequest("Missing " + missing(seen))
	}
	return nil
}

func missing(seen known) string {
	switch {
	case seen&knownVia == 0:
		return "Via"
	case seen&knownFrom == 0:
		return "From"
	case seen&knownTo == 0:
		return "To"
	case seen&knownCallID == 0:
		return "Call-ID"
	}
	return "CSeq"
}

// checkVia reads the top Via, and in a request the others too: our responses will carry them.
func (m *Message) checkVia() *fault {
	top := m.index("Via")
	value := m.Headers[top].Value
	first, rest, more := cutList(value)
	via, err := ParseVia(first)
	if err != nil {
		return badRequest("Malformed Via")
	}
	m.parsed.viaValue, m.parsed.via = value, via
	if m.IsResponse() {
		return nil
	}
	if more && !viasReadable(rest) {
		return badRequest("Malformed Via")
	}
	for i := top + 1; i < len(m.Headers); i++ {
		if knownName(m.Headers[i].Name) == knownVia && !viasReadable(m.Headers[i].Value) {
			return badRequest("Malformed Via")
		}
	}
	return nil
}

func viasReadable(list string) bool {
	for more := true; more; {
		var via string
		via, list, more = cutList(list)
		if _, err := ParseVia(via); err != nil {
			return false
		}
	}
	return true
}

func (m *Message) checkParties() *fault {
	var err error
	p := &m.parsed
	p.fromValue, p.toValue = m.Get("From"), m.Get("To")
	if p.from, err = ParseNameAddr(p.fromValue); err != nil {
		return badRequest("Malformed From")
	}
	if p.to, err = ParseNameAddr(p.toValue); err != nil {
		return badRequest("Malformed To")
	}
	return nil
}

// checkRequest looks at what a request will be routed by.
func (m *Message) checkRequest() *fault {
	if m.Has("Max-Forwards") && !isDigits(m.Get("Max-Forwards")) {
		return badRequest("Malformed Max-Forwards")
	}
	for i := range m.Headers {
		if knownName(m.Headers[i].Name) == knownContact && !contactsReadable(m.Headers[i].Value) {
			return badRequest("Malformed Contact")
		}
	}
	return nil
}

func contactsReadable(list string) bool {
	if trimLWS(list) == "*" {
		return true // RFC 3261 §10.2.2
	}
	for more := true; more; {
		var contact string
		contact, list, more = cutList(list)
		if contact == "" {
			continue
		}
		if _, err := ParseNameAddr(contact); err != nil {
			return false
		}
	}
	return true
}
