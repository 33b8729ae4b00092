// Command sidetrack is a proxy-side SIPREC Session Recording Client: a B2BUA
// that relays calls to a PBX and has them recorded (RFC 7866).
//
// Its nouns. A command is the word after the program's name; run finds it, main
// turns its result into the exit status: 0, or 1 and one clear line on standard
// error. serve hands the signals to supervise, which reloads, drains and stops
// an app.App; calls, recordings, start, pause, resume, move and stop are clients of
// the HTTP API of a proxy that runs elsewhere.
package main
