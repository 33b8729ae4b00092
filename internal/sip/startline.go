package sip

import "strings"

// readStartLine reads request line or status line (RFC 3261 §7.1, §7.2). It is ours and not sipgo's, because the
// method's case and the bytes of the Request-URI are to stay.
func (m *Message) readStartLine(line []byte) *fault {
	if isStatusLine(line) {
		return m.readStatusLine(string(line))
	}
	return m.readRequestLine(string(line))
}

func (m *Message) readRequestLine(line string) *fault {
	method, rest, _ := strings.Cut(line, " ")
	uri, ver, ok := strings.Cut(rest, " ")
	switch {
	case !strings.Contains(rest, "SIP/") && !strings.EqualFold(ver, version):
		return &fault{reason: "not a SIP message"}
	case !ok || !isToken(method) || uri == "" || strings.ContainsAny(ver, " \t"):
		return badRequest("Malformed Request Line")
	case !strings.EqualFold(ver, version):
		return &fault{status: 505, reason: "Version Not Supported"}
	}
	m.Method, m.RequestURI = method, uri
	u, err := ParseURI(uri)
	if err != nil {
		return badRequest("Malformed Request-URI")
	}
	if u.Headers != "" {
		// They must never become fields of a relayed request (RFC 3261 §19.1.1, §19.1.5).
		return badRequest("Header Fields In Request-URI")
	}
	return nil
}

func isStatusLine[T string | []byte](line T) bool {
	return len(line) >= 4 && strings.EqualFold(string(line[:4]), "SIP/")
}

// readStatusLine takes an absent reason phrase with or without the space ahead of it. Faults have no status: nobody
// answers a response.
func (m *Message) readStatusLine(line string) *fault {
	ver, rest, _ := strings.Cut(line, " ")
	code, reason, _ := strings.Cut(rest, " ")
	if !strings.EqualFold(ver, version) {
		return &fault{reason: "unknown version in a response"}
	}
	if len(code) != 3 || !isDigits(code) || code[0] < '1' || code[0] > '6' {
		return &fault{reason: "bad status code"}
	}
	m.Status = int(code[0]-'0')*100 + int(code[1]-'0')*10 + int(code[2]-'0')
	if m.Reason = ReasonPhrase(m.Status); m.Reason != reason { // nearly never
		m.Reason = strings.Clone(reason)
	}
	return nil
}
