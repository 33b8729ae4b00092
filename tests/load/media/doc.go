//go:build linux

// Command media measures what relaying and recording calls costs: sidetrack and
// rtpengine (userspace, driven over its ng protocol, its fork by subscribe) get
// the same packets of the same number of calls, one after the other, on this
// machine. `make bench-media` runs it and explains nothing further: the table and
// the lines under it are to be read as they are.
//
// One row is one process started for it: calls are set up (sidetrack over SIP,
// recorded by SIPREC; rtpengine by offer, answer and subscribe), traffic settles,
// a window is measured. CPU is that of the process's whole tree; latency is from
// sending to the kernel's stamp of arrival, in the same process as the traffic.
//
// With -soak there is no table: recorded calls come and go for that time, and
// the exit status tells whether all was given back, the heap stayed flat and the
// clocks of each call's directions together.
package main
