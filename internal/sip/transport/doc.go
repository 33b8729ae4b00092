// Package transport moves SIP messages between sockets and the transaction
// layer (RFC 3261 §18).
//
// A [Layer] owns every socket. A [Listener] is one of them together with the
// identity (Via, Contact) under which peers reach us through it. A [Flow] is a
// path to one peer: a UDP socket and an address, or a stream connection. An
// [Inbound] is one parsed message and the flow it came by.
//
// Inwards: a reader goroutine per UDP socket and per connection cuts the
// stream into messages (§18.3), ignores keep-alives (RFC 5626 §3.5), parses,
// stamps received and rport into the top Via (§18.2.1, RFC 3581 §4) and calls
// Config.OnMessage, so that messages of one socket or connection keep their
// order. What cannot be parsed gets a stateless answer, rate limited, or is
// dropped and counted.
//
// Outwards: Send never blocks. UDP goes to the kernel at once; a full socket
// buffer counts as loss on the way, which the timers of the transaction layer
// repair. A connection has a bounded queue and a writer goroutine. Connecting
// happens in workers (Dial). ICMP errors and ended connections are told to
// whoever called Watch (§18.4).
package transport
