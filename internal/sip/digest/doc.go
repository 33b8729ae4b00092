// Package digest answers the challenges of servers (RFC 3261 §22, RFC 7616,
// RFC 8760) for both sides of the proxy: trunks and recorders. Its one noun is
// the [Challenge]: read from a 401 or 407, kept as long as its nonce is used,
// and asked for an answer to each request. The arithmetic is that of
// icholy/digest; what is kept between requests is ours.
package digest
