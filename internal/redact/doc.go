// Package redact hides what is not for everybody who may look: the passwords of
// URIs, always, and where it is asked to the numbers of people in log lines: users
// of SIP and tel URIs, and telephone numbers wherever else they stand, but for
// their last two digits. Identifiers by which lines are found (Call-ID, our own) stay.
package redact
