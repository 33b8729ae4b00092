// Package redact masks the numbers of people in log lines: users of SIP and tel
// URIs, and telephone numbers wherever else they stand, but for their last two
// digits. Identifiers by which lines are found (Call-ID, our own) stay.
package redact
