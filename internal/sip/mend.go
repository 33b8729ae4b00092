package sip

import (
	"bytes"
	"strings"
)

// Mend makes a message of what an editor, a log or a mail has left of one: line
// ends are CRLF again, and the body is all that follows the head, for a
// Content-Length counts bytes that are not there any more.
func Mend(raw []byte) []byte {
	raw = bytes.ReplaceAll(bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
	head, body, _ := bytes.Cut(raw, []byte("\r\n\r\n"))
	var kept [][]byte
	for line := range bytes.SplitSeq(bytes.TrimRight(head, "\r\n"), []byte("\r\n")) {
		name, _, _ := bytes.Cut(line, []byte(":"))
		if n := strings.TrimSpace(string(name)); !SameName(n, "Content-Length") {
			kept = append(kept, line)
		}
	}
	return append(append(bytes.Join(kept, []byte("\r\n")), "\r\n\r\n"...), body...)
}
