package sip

import "fmt"

// ParseError says what is wrong with a received message and what to do about it.
type ParseError struct {
	Status int      // 0: drop without an answer; else the answer to give without state
	Reason string   // what is wrong, fit for the reason phrase of that answer
	Msg    *Message // what could be read, enough for NewResponse; may be nil
}

// Error tells the fault.
func (e *ParseError) Error() string {
	if e.Status == 0 {
		return "parsing SIP message: " + e.Reason
	}
	return fmt.Sprintf("parsing SIP message: %s (%d)", e.Reason, e.Status)
}
