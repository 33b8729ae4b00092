package sip

// check refuses messages whose meaning is not clear: mandatory fields missing or twice, a CSeq that does not fit, values
// that cannot be read (RFC 3261 §8.1.1, §8.2). What it has read it keeps.
func (m *Message) check() *fault {
	c, f := m.count()
	if f != nil {
		return f
	}
	m.parsed = &essentials{}
	if f := m.checkVia(c); f != nil {
		return f
	}
	if f := m.checkParties(c); f != nil {
		return f
	}
	if id := m.valueAt(c, knownCallID); id == "" || hasSpaceOrControl(id) {
		return badRequest("Malformed Call-ID")
	}
	cseq, ok := parseCSeq(m.valueAt(c, knownCSeq))
	if !ok {
		return badRequest("Malformed CSeq")
	}
	if m.IsResponse() {
		return nil
	}
	if cseq.Method != m.Method {
		return badRequest("CSeq Method Differs From Request")
	}
	return m.checkRequest(c)
}

// census says which known fields there are and where the first of each stands.
type census struct {
	seen  known
	first [16]int16 // by the number of the bit
}

// valueAt gives the value of the first field of a kind that has been seen.
func (m *Message) valueAt(c census, kind known) string {
	return m.Headers[c.first[kind.bit()]].Value
}

const (
	mandatory = knownVia | knownFrom | knownTo | knownCallID | knownCSeq
	single    = knownFrom | knownTo | knownCallID | knownCSeq | knownMaxForwards
)

// count takes the census, and sees that each mandatory field is there and that none stands twice which must not.
func (m *Message) count() (c census, f *fault) {
	for i := range m.Headers {
		kind := knownName(m.Headers[i].Name)
		switch {
		case kind == 0:
		case c.seen&kind == 0:
			c.seen |= kind
			c.first[kind.bit()] = int16(i)
		case kind&single != 0:
			return c, badRequest("Duplicate " + LongName(m.Headers[i].Name))
		}
	}
	if c.seen&mandatory != mandatory {
		return c, badRequest("Missing " + missing(c.seen))
	}
	return c, nil
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
func (m *Message) checkVia(c census) *fault {
	value := m.valueAt(c, knownVia)
	first, rest, more := cutList(value)
	via, err := parseVia(first, m.parsed.params[:0:viaParams])
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
	for _, h := range m.Headers[c.first[knownVia.bit()]+1:] {
		if knownName(h.Name) == knownVia && !viasReadable(h.Value) {
			return badRequest("Malformed Via")
		}
	}
	return nil
}

func viasReadable(list string) bool {
	for more := true; more; {
		var via string
		via, list, more = cutList(list)
		if !viaReadable(via) {
			return false
		}
	}
	return true
}

func (m *Message) checkParties(c census) *fault {
	var err error
	p := m.parsed
	p.fromValue, p.toValue = m.valueAt(c, knownFrom), m.valueAt(c, knownTo)
	if p.from, err = parseNameAddr(p.fromValue, p.params[viaParams:viaParams:fromParam]); err != nil {
		return badRequest("Malformed From")
	}
	if p.to, err = parseNameAddr(p.toValue, p.params[fromParam:fromParam:toParam]); err != nil {
		return badRequest("Malformed To")
	}
	return nil
}

// checkRequest looks at what a request will be routed by.
func (m *Message) checkRequest(c census) *fault {
	if c.seen&knownMaxForwards != 0 && !isDigits(m.valueAt(c, knownMaxForwards)) {
		return badRequest("Malformed Max-Forwards")
	}
	if c.seen&knownContact == 0 {
		return nil
	}
	for _, h := range m.Headers {
		if knownName(h.Name) == knownContact && !contactsReadable(h.Value) {
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
		if !nameAddrReadable(contact) {
			return false
		}
	}
	return true
}
