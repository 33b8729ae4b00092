package policy

import (
	"strings"
	"time"
)

// Ask has the decision on a rule's calls made by a program elsewhere, which
// answers over HTTP. One value belongs to one rule: the program is asked once
// for all recorders of it.
type Ask struct {
	URL     string        // http or https
	Token   string        // shown as Authorization: Bearer; "": nothing is shown
	Timeout time.Duration // for the whole answer
	OnError OnError       // "" means OnErrorRecord
}

// Shown is the URL for people and logs, without its query: many services put a key there.
func (a *Ask) Shown() string {
	if place, _, some := strings.Cut(a.URL, "?"); some {
		return place + "?***"
	}
	return a.URL
}

// OnError says what happens when no decision comes.
type OnError string

// The values of OnError.
const (
	OnErrorRecord OnError = "record" // the call is recorded as the rule says
	OnErrorSkip   OnError = "skip"   // it is not
)
