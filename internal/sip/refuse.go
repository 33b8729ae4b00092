package sip

import (
	"bytes"
	"strings"
)

// maxSalvaged bounds the octets of a refused request that are looked at for its answer, and so that answer's size.
const maxSalvaged = 16 << 10

// refuse makes the error of a message that Parse does not take. Nobody answers a response or an ACK (RFC 3261 §17), nor
// a request without a Via.
func refuse(b []byte, f *fault) *ParseError {
	e := &ParseError{Status: f.status, Reason: f.reason}
	if e.Status == 0 {
		return e
	}
	if e.Msg = salvage(b); e.Msg == nil || e.Msg.Method == "ACK" || !e.Msg.Has("Via") {
		e.Status, e.Msg = 0, nil
	}
	return e
}

// salvage reads what an answer needs out of a request that is wrong somewhere. Only whole, clean lines count, so that
// nothing can be smuggled into our answer. nil if it is not a request.
func salvage(b []byte) *Message {
	line, rest, _ := bytes.Cut(b[:min(len(b), maxSalvaged)], []byte("\r\n"))
	method, _, ok := strings.Cut(string(line[:min(len(line), maxStartLine)]), " ")
	if !ok || isStatusLine(method) {
		return nil
	}
	m := &Message{Method: method}
	for n := 0; n < maxFields && len(rest) > 0; n++ {
		if line, rest = cutUnfolded(rest); len(line) == 0 {
			break
		}
		name, value, _ := strings.Cut(string(line), ":")
		name, value = trimLWS(name), trimLWS(value)
		if knownName(name)&mandatory == 0 || strings.ContainsAny(value, "\r\n\x00") {
			continue
		}
		m.Add(name, value)
	}
	return m
}

// cutUnfolded is cutField for lines that nobody has checked.
func cutUnfolded(b []byte) (field, rest []byte) {
	field, rest, _ = bytes.Cut(b, []byte("\r\n"))
	if len(field) == 0 || !continues(rest) {
		return field, rest
	}
	field = bytes.Clone(field)
	for continues(rest) {
		var more []byte
		more, rest, _ = bytes.Cut(rest, []byte("\r\n"))
		field = append(append(field, ' '), bytes.Trim(more, " \t")...)
	}
	return field, rest
}
