package txn

import "errors"

// Why a client transaction ends without a final response. The errors that
// OnFail gets wrap one of these.
var (
	ErrTimeout   = errors.New("no answer in time")                   // Timer B or F, or none after CANCEL: to be treated as 408
	ErrTransport = errors.New("request could not be delivered")      // refused, unreachable, closed: to be treated as 503
	ErrTimerC    = errors.New("no final answer in time")             // Timer C: the INVITE was canceled by the layer
	ErrCanceled  = errors.New("request was canceled before it left") // Cancel while still connecting
)

var (
	errNoListener = errors.New("no listener for this protocol and address family")
	errNoTarget   = errors.New("target has no address")
	errBusy       = errors.New("too many lookups at once")
)
