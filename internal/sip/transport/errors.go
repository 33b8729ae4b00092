package transport

import "errors"

// What Send and Dial can say besides the operating system's own errors.
var (
	ErrClosed    = errors.New("transport is closed")
	ErrNoConn    = errors.New("connection is gone")
	ErrQueueFull = errors.New("connection's send queue is full")
	ErrBusy      = errors.New("too many connections are being made")
	ErrNoSocket  = errors.New("no listener for this protocol and address family")
)
