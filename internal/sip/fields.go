package sip

import "bytes"

// readFields reads the header field lines into m.Headers. The value of Content-Length is given back, -1 without one; the
// field stays, without it, to keep the place for Bytes.
func (m *Message) readFields(lines []byte) (length int, f *fault) {
	length = -1
	if continues(lines) {
		return 0, badRequest("White Space Ahead Of First Header Field")
	}
	r := readers.Get().(*reader)
	defer r.release()
	for len(lines) > 0 {
		var line []byte
		line, lines = cutField(lines)
		h, err := r.read(line)
		if err != nil {
			return 0, badRequest("Malformed Header Field")
		}
		if len(h.Name)+len(h.Value) > maxField {
			return 0, badRequest("Header Field Too Long")
		}
		if !isToken(h.Name) {
			return 0, badRequest("Malformed Header Field Name")
		}
		if knownName(h.Name) != knownContentLength {
			m.Headers = append(m.Headers, h)
			continue
		}
		n, ok := parseLength(h.Value)
		if !ok || length >= 0 && length != n {
			return 0, badRequest("Bad Content-Length")
		}
		if length < 0 {
			m.Headers = append(m.Headers, Header{Name: h.Name})
		}
		length = n
	}
	return length, nil
}

// cutField takes one field off, its continuation lines joined by a single space (RFC 3261 §7.3.1).
func cutField(lines []byte) (field, rest []byte) {
	field, rest = cutLine(lines)
	if !continues(rest) {
		return field, rest
	}
	joined := bytes.Clone(bytes.TrimRight(field, " \t"))
	for continues(rest) {
		var more []byte
		more, rest = cutLine(rest)
		joined = append(joined, ' ')
		joined = append(joined, bytes.Trim(more, " \t")...)
	}
	return joined, rest
}

// cutLine relies on precheck: every line ends in CRLF.
func cutLine(lines []byte) (line, rest []byte) {
	i := bytes.IndexByte(lines, '\n')
	return lines[:i-1], lines[i+1:]
}

func continues(rest []byte) bool {
	return len(rest) > 0 && (rest[0] == ' ' || rest[0] == '\t')
}

// parseLength reads a Content-Length value; numbers beyond any message count as just too large.
func parseLength(s string) (int, bool) {
	if !isDigits(s) {
		return 0, false
	}
	n := 0
	for i := 0; i < len(s); i++ {
		if n = n*10 + int(s[i]-'0'); n > MaxMessage {
			return MaxMessage + 1, true
		}
	}
	return n, true
}
