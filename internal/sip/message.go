package sip

import (
	"slices"
	"strings"
)

// Message is a SIP request or response.
//
// A message has one owner at a time. Its methods that only read may be called from several goroutines as long as
// nobody writes; a message handed to the transaction layer is not changed any more.
type Message struct {
	Method     string   // request method, case kept; "" in a response
	RequestURI string   // byte for byte as received; "" in a response
	Status     int      // status code; 0 in a request
	Reason     string   // reason phrase of a response
	Headers    []Header // arrival order, spelling kept; a Content-Length keeps its place without a value, Bytes writes it
	Body       []byte   // never changed in place: clones share it

	parsed *essentials // what Parse has read already, see accessors.go; nil: nothing. Clones share it
}

// IsRequest tells whether m is a request.
func (m *Message) IsRequest() bool { return m.Status == 0 }

// IsResponse tells whether m is a response.
func (m *Message) IsResponse() bool { return m.Status != 0 }

// index gives the place of the first field of that name, -1 if there is none.
func (m *Message) index(name string) int {
	name = LongName(name)
	for i := range m.Headers {
		if SameName(m.Headers[i].Name, name) {
			return i
		}
	}
	return -1
}

// Get gives the value of the first field of that name, "" if there is none. Case does not count and compact forms
// equal the long ones (RFC 3261 §7.3.3); so it is for every method that takes a name.
func (m *Message) Get(name string) string {
	if i := m.index(name); i >= 0 {
		return m.Headers[i].Value
	}
	return ""
}

// Has tells whether there is a field of that name, even an empty one.
func (m *Message) Has(name string) bool { return m.index(name) >= 0 }

// All gives the value of every field line of that name, in order, commas untouched.
func (m *Message) All(name string) []string {
	var values []string
	for i := range m.Headers {
		if m.Headers[i].Is(name) {
			values = append(values, m.Headers[i].Value)
		}
	}
	return values
}

// List gives the elements of a comma list over all field lines of that name (RFC 3261 §7.3.1), trimmed, empty ones
// left out. Only for fields whose grammar is a list: a Date or a challenge has commas of its own.
func (m *Message) List(name string) []string {
	var elements []string
	for i := range m.Headers {
		if m.Headers[i].Is(name) {
			elements = appendList(elements, m.Headers[i].Value)
		}
	}
	return elements
}

// HasToken tells whether a list field (Supported, Require, Allow, …) holds token; case and parameters do not count.
func (m *Message) HasToken(name, token string) bool {
	for i := range m.Headers {
		if !m.Headers[i].Is(name) {
			continue
		}
		for rest, more := m.Headers[i].Value, true; more; {
			var element string
			element, rest, more = cutList(rest)
			element, _, _ = strings.Cut(element, ";")
			if strings.EqualFold(trimLWS(element), token) {
				return true
			}
		}
	}
	return false
}

// Set gives the first field of that name a new value in place, keeping its spelling, and drops the others of the
// name; without such a field it appends one.
func (m *Message) Set(name, value string) {
	i := m.index(name)
	if i < 0 {
		m.Add(name, value)
		return
	}
	m.Headers[i].Value = value
	rest := m.Headers[i+1:]
	kept := slices.DeleteFunc(rest, func(h Header) bool { return h.Is(name) })
	m.Headers = m.Headers[:i+1+len(kept)]
}

// Add appends a field.
func (m *Message) Add(name, value string) {
	m.Headers = append(m.Headers, Header{Name: name, Value: value})
}

// Prepend puts a field before all others.
func (m *Message) Prepend(name, value string) {
	m.Headers = append(m.Headers, Header{})
	copy(m.Headers[1:], m.Headers)
	m.Headers[0] = Header{Name: name, Value: value}
}

// Del removes every field of that name.
func (m *Message) Del(name string) {
	m.Headers = slices.DeleteFunc(m.Headers, func(h Header) bool { return h.Is(name) })
}

// Clone copies the message: the field list is its own, the body is shared.
func (m *Message) Clone() *Message {
	c := *m
	// Room for the fields that a hop adds, so that its first Prepend does not copy the list again.
	c.Headers = make([]Header, len(m.Headers), len(m.Headers)+4)
	copy(c.Headers, m.Headers)
	return &c
}

// SetBody replaces the body and its Content-Type. An empty body removes the fields that describe one
// (RFC 3261 §20.11–§20.15); Content-Length is always the business of Bytes.
func (m *Message) SetBody(contentType string, body []byte) {
	m.Body = body
	if len(body) == 0 {
		for _, name := range []string{"Content-Type", "Content-Disposition", "Content-Encoding", "Content-Language"} {
			m.Del(name)
		}
		return
	}
	m.Set("Content-Type", contentType)
}
