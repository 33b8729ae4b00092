//go:build linux && (amd64 || arm64)

// Command engines measures ways of moving a call's packets, one beside the
// other: each candidate is a process of its own that receives the packets of N
// calls, sends each on to the other party and a copy with a new header to a
// recorder, and does nothing else. What it prints is the floor under a relay
// built that way on this machine: CPU per packet taken in, loss and added
// latency. docs/performance.md has a table and the choice made from it.
//
//	go run ./tests/load/engines -calls 50,400 -window 5s
package main
