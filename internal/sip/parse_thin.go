package sip

func Parse(b []byte) (*Message, error) { return nil, &ParseError{Reason: "unread"} }
