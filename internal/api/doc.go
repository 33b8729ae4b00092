// Package api is the HTTP side of the proxy: health, metrics, the live calls
// and recordings with their controls, and the stream of events.
//
// Its nouns. A [Backend] is everything it may ask, as functions; the package
// knows neither calls nor recordings. A [Server] answers under /api/v1 with
// JSON, lists as {"items", "next"}, errors as problem documents (RFC 9457). A
// [Broker] keeps the latest events and hands them to any number of readers.
//
// Nothing here is in the way of a call: each question has a deadline, and a
// slow reader of events loses its connection, not the proxy its pace.
package api
