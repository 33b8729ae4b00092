package sip

import (
	"strconv"
	"strings"
)

const version = "SIP/2.0"

// Bytes gives the wire form: start line, fields in order, then the body. Content-Length is computed from it, and stands
// where it stood in what was received, else last. The result is the caller's. A CR or LF within a value, which could only come from our own side, is written as a
// space, so that no value can make a header field of its own.
func (m *Message) Bytes() []byte {
	b := make([]byte, 0, m.size())
	b = m.appendStartLine(b)
	measured := false
	for i := range m.Headers {
		h := &m.Headers[i]
		if knownName(h.Name) == knownContentLength {
			if !measured {
				b = m.appendLength(b, h.Name)
			}
			measured = true
			continue
		}
		b = appendLine(b, h.Name)
		b = append(b, ": "...)
		b = appendLine(b, h.Value)
		b = append(b, "\r\n"...)
	}
	if !measured {
		b = m.appendLength(b, "Content-Length")
	}
	b = append(b, "\r\n"...)
	return append(b, m.Body...)
}

// appendLength appends Content-Length under the name that its sender gave it.
func (m *Message) appendLength(b []byte, name string) []byte {
	b = append(b, name...)
	b = append(b, ": "...)
	b = strconv.AppendInt(b, int64(len(m.Body)), 10)
	return append(b, "\r\n"...)
}

// size is an upper bound of the wire form's length.
func (m *Message) size() int {
	n := len(m.Method) + len(m.RequestURI) + len(m.Reason) + len(version) + 16
	for i := range m.Headers {
		n += len(m.Headers[i].Name) + len(m.Headers[i].Value) + 4
	}
	return n + len("Content-Length: \r\n\r\n") + 20 + len(m.Body)
}

func (m *Message) appendStartLine(b []byte) []byte {
	if m.IsRequest() {
		b = appendLine(b, m.Method)
		b = append(b, ' ')
		b = appendLine(b, m.RequestURI)
		return append(b, " "+version+"\r\n"...)
	}
	b = append(b, version+" "...)
	b = strconv.AppendInt(b, int64(m.Status), 10)
	b = append(b, ' ')
	b = appendLine(b, m.Reason)
	return append(b, "\r\n"...)
}

// appendLine appends s with CR and LF as spaces.
func appendLine(b []byte, s string) []byte {
	if strings.IndexByte(s, '\r') < 0 && strings.IndexByte(s, '\n') < 0 {
		return append(b, s...)
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '\r' || c == '\n' {
			c = ' '
		}
		b = append(b, c)
	}
	return b
}
