// Package scenario drives the whole system, in this process, with scripted callers, PBXs and SRSs on plain sockets
// (sidetrack/tests/peer, which shares no code with the product).
//
// A stage is one such theatre: caller, callee, SRSs, and the system between them, each on its own loopback address, so
// that a datagram from the wrong place is seen. A call on it is an answered call with both media ends. Each scenario is
// named by its ugly case and is straight code. When it is over, finish asks whether anything is left: messages that
// nobody expected, calls, recordings, ports, goroutines. When it fails, the message ladder is printed.
package scenario
