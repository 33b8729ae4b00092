package api

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// Item is one member of a list: its id, a key that sorts the list and stays
// the same while the item lives, and what is shown of it as JSON.
type Item struct {
	ID, Key string
	Value   any
}

// StartRequest asks for a recording of a running call.
type StartRequest struct {
	Recorder string `json:"recorder"`
	Name     string `json:"name"`
	Tracks   string `json:"tracks"`

	Group      string            `json:"group"`      // of the metadata; "": the recorder's
	Headers    map[string]string `json:"headers"`    // of the INVITE to the SRS
	Parameters map[string]string `json:"parameters"` // as the recorder's configuration says
}

// PauseRequest says after how long a pause ends by itself: a Go duration; "":
// never.
type PauseRequest struct {
	Limit string `json:"limit"`
}

// MaskRequest says whose voice is meant: caller, callee, both; "": both.
type MaskRequest struct {
	Tracks string `json:"tracks"`
}

// MoveRequest asks for a recording at another SRS; "" is the next of the list.
type MoveRequest struct {
	SRS string `json:"srs"`
}

// TagRequest adds parameters (name → value) to a recording; "" takes one away.
type TagRequest struct {
	Parameters map[string]string `json:"parameters"`
}

// Backend is what the API serves. All functions may be called at once from
// many goroutines; they honour ctx. Errors that wrap ErrNotFound, ErrConflict
// or ErrInvalid become 404, 409 and 400.
type Backend struct {
	Ready      func() error // nil: takes new calls
	Metrics    http.Handler
	Calls      func(ctx context.Context) ([]Item, error)
	Call       func(ctx context.Context, id string) (any, error)
	Overview   func(ctx context.Context, q OverviewQuery) (any, error)
	Recordings func(ctx context.Context) ([]Item, error)
	Recording  func(ctx context.Context, id string) (any, error)
	// Control carries out resume or stop and returns the new state.
	Control func(ctx context.Context, id, verb string) (any, error)
	SRSs    func(ctx context.Context) ([]Item, error)
	Drain   func(ctx context.Context, recorder string, index int, on bool) (any, error) // on false: enable
	// Move takes a recording to another SRS and returns the new state.
	Pause  func(ctx context.Context, id string, limit time.Duration) (any, error)
	Mask   func(ctx context.Context, id, tracks string, on bool) (any, error)
	Tag    func(ctx context.Context, id string, req TagRequest) (any, error)
	Move   func(ctx context.Context, id string, req MoveRequest) (any, error)
	Start  func(ctx context.Context, callID string, req StartRequest) (any, error)
	Events *Broker
	// Ladder is what was said about a call, live or ended lately; redact blackens
	// numbers and names.
	Ladder  func(ctx context.Context, id string, redact bool) (Ladder, error)
	Targets func(ctx context.Context) ([]Item, error) // of routes
	// Capture takes the packets of a live call from now on.
	Capture func(ctx context.Context, id string, limits CaptureLimits) (Capturing, error)
	// Recorders, Rules and Config are the configuration in force; secrets are hidden.
	Recorders func(ctx context.Context) ([]Item, error)
	Rules     func(ctx context.Context) ([]Item, error)
	Config    func(ctx context.Context) (any, error)
	// Reload loads the configuration file again; Mistakes change nothing.
	Reload func(ctx context.Context) (any, error)
	// Journal returns one page of verdicts and the cursor of the next; nil: no
	// journal is kept.
	Journal func(ctx context.Context, q JournalQuery) (items []any, next string, err error)
	// Reasons counts them by recorder, result and reason; nil as Journal is.
	Reasons func(ctx context.Context, q JournalQuery) (items any, err error)
}

// What a Backend reports of a request it cannot fulfil.
var (
	ErrNotFound = errors.New("not found")
	ErrConflict = errors.New("the present state forbids it")
	ErrInvalid  = errors.New("invalid request")
)
