package store

import (
	"log/slog"
	"sync"
	"time"
)

// troubleEvery is how often the journal complains.
const troubleEvery = 10 * time.Second

// trouble tells of what went wrong, once per interval, with the number of
// verdicts that were dropped.
type trouble struct {
	log *slog.Logger
	now func() time.Time

	mu     sync.Mutex
	last   time.Time
	untold int
}

// tell notes a failure, and n verdicts that are lost by it. It may be called from a call's lane:
// all it costs is, now and then, a line.
func (t *trouble) tell(n int, reason string, err error) {
	t.mu.Lock()
	t.untold += n
	now, total := t.now(), t.untold
	due := now.Sub(t.last) >= troubleEvery
	if due {
		t.last, t.untold = now, 0
	}
	t.mu.Unlock()
	if !due {
		return
	}
	args := []any{"dropped", total, "reason", reason}
	if err != nil {
		args = append(args, "error", err)
	}
	t.log.Error("journal not written", args...)
}
