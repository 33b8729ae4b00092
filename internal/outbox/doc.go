// Package outbox hands values from many goroutines to one that sends them away,
// and never has anybody wait for it.
//
// A [Box] holds a bounded number of values. Who puts one learns whether there was
// room, and counts what was not taken; one goroutine takes them out until the box
// is closed and empty.
package outbox
