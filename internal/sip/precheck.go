package sip

import "bytes"

// frame is a message cut at its joints; all alias the input.
type frame struct {
	start  []byte // start line without its line break
	fields []byte // header field lines, each with its CRLF
	body   []byte // all that follows the empty line
	lines  int    // field lines, continuation lines included
}

// precheck cuts the message and refuses what must not reach a parser: control bytes that a laxer peer would take as a
// line end or a string end, and sizes that no peer needs.
func precheck(b []byte) (frame, *fault) {
	if len(b) == 0 {
		return frame{}, &fault{reason: "empty message"}
	}
	if len(b) > MaxMessage {
		return frame{}, &fault{status: 513, reason: "Message Too Large"}
	}
	end := bytes.Index(b, []byte("\r\n\r\n"))
	head := b
	if end >= 0 {
		head = b[:end+2]
	}
	lines := bytes.Count(head, []byte("\n"))
	if lines > maxFields+1 { // first of all: the checks below cost by the line
		return frame{}, badRequest("Too Many Header Fields")
	}
	if f := checkControls(head, lines); f != nil {
		return frame{}, f
	}
	if end < 0 {
		return frame{}, badRequest("Missing Empty Line After Header")
	}
	at := frame{body: b[end+4:], lines: lines - 1}
	eol := bytes.IndexByte(head, '\n')
	at.start, at.fields = head[:eol-1], head[eol+1:]
	if len(at.start) > maxStartLine {
		return frame{}, &fault{status: 414, reason: "Request-URI Too Long"}
	}
	return at, nil
}

// checkControls refuses a bare CR or LF, and a NUL that is not a quoted pair (RFC 3261 §25.1 allows that one).
// lines is the number of LFs.
func checkControls(head []byte, lines int) *fault {
	if bytes.Count(head, []byte("\r")) != lines || bytes.Count(head, []byte("\r\n")) != lines {
		return badRequest("Bare CR Or LF In Header")
	}
	if bytes.IndexByte(head, 0) >= 0 && !nulsEscaped(head) {
		return badRequest("NUL In Header")
	}
	return nil
}

// nulsEscaped tells whether every NUL stands behind a backslash within a quoted string of its line.
func nulsEscaped(head []byte) bool {
	quoted, escaped := false, false
	for _, c := range head {
		switch {
		case c == 0 && !escaped:
			return false
		case c == '\n':
			quoted, escaped = false, false
			continue
		case c == '"' && !escaped:
			quoted = !quoted
		}
		escaped = quoted && c == '\\' && !escaped
	}
	return true
}
