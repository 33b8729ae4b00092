package sip

import (
	"bytes"
	"fmt"
)

// Bounds of a message. They lie far above what real peers send and keep the cost of reading a message proportional
// to its bytes.
const (
	MaxMessage   = 65535   // octets of a whole message
	maxStartLine = 4 << 10 // octets
	maxField     = 8 << 10 // octets of a field's name and value, folded lines together
	maxFields    = 200     // field lines, continuation lines included
)

// ParseError says what is wrong with a received message and what to do about it.
type ParseError struct {
	Status int      // 0: drop without an answer; else the answer to give without state
	Reason string   // what is wrong, fit for the reason phrase of that answer
	Msg    *Message // what could be read of a request, enough for NewResponse; nil when Status is 0
}

// Error tells the fault.
func (e *ParseError) Error() string {
	if e.Status == 0 {
		return "parsing SIP message: " + e.Reason
	}
	return fmt.Sprintf("parsing SIP message: %s (%d)", e.Reason, e.Status)
}

// fault is what a step of Parse objects to.
type fault struct {
	status int
	reason string
}

func badRequest(reason string) *fault { return &fault{status: 400, reason: reason} }

// Parse reads one whole message; b is not kept. Line breaks ahead of it are passed over (RFC 3261 §7.5). Octets after
// the body that Content-Length counts are ignored; without Content-Length the body reaches to the end (§18.3).
// The error is a *ParseError.
func Parse(b []byte) (*Message, error) {
	b = bytes.TrimLeft(b, "\r\n")
	m, f := parse(b)
	if f != nil {
		return nil, refuse(b, f)
	}
	return m, nil
}

func parse(b []byte) (*Message, *fault) {
	at, f := precheck(b)
	if f != nil {
		return nil, f
	}
	m := &Message{Headers: make([]Header, 0, at.lines)}
	if f := m.readStartLine(at.start); f != nil {
		return nil, f
	}
	length, f := m.readFields(at.fields)
	if f != nil {
		return nil, f
	}
	if f := m.takeBody(at.body, length); f != nil {
		return nil, f
	}
	if f := m.check(); f != nil {
		return nil, f
	}
	return m, nil
}

// takeBody copies the body by Content-Length, -1 for none given (RFC 3261 §18.3).
func (m *Message) takeBody(rest []byte, length int) *fault {
	if length < 0 {
		length = len(rest)
	}
	if length > len(rest) {
		return badRequest("Body Shorter Than Content-Length")
	}
	if length > 0 {
		m.Body = bytes.Clone(rest[:length])
	}
	return nil
}
