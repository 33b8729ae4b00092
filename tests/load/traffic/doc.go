//go:build linux

// Package traffic is the media of many calls at once, for measuring relays: it
// is every caller, every callee and the recorder, on a few sockets.
//
// Each packet is one of G.711 (172 octets, every 20 ms) and carries its call,
// direction, number and time of sending, so that loss, duplicates and mix-ups are
// exact whatever lies between. Arrival times are the kernel's, so that a late
// reader does not count; packets sent by one system call share their time of
// sending. The sender wakes every millisecond and sends a twentieth of all
// streams; how late it wakes is part of the result, as a generator that does not
// keep time measures nothing.
package traffic
