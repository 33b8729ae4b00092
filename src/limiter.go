package src

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// troubleEvery is how often the trouble of one SRS is told at most.
const troubleEvery = time.Second

// limiter keeps an SRS in trouble from filling the log: each is told of at
// most once per second, with the number of times that went untold. All of them
// are seen at level debug.
type limiter struct {
	now func() time.Time

	mu   sync.Mutex
	last map[string]*told // by SRS; these come from the configuration
}

type told struct {
	at     time.Time
	untold int
}

func newLimiter(now func() time.Time) *limiter {
	return &limiter{now: now, last: map[string]*told{}}
}

// warn logs trouble with an SRS.
func (l *limiter) warn(log *slog.Logger, srs, msg string, args ...any) {
	level, untold := l.level(srs)
	if untold > 0 {
		args = append(args, "untold", untold)
	}
	log.Log(context.Background(), level, msg, args...)
}

func (l *limiter) level(srs string) (slog.Level, int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	t := l.last[srs]
	if t == nil {
		l.last[srs] = &told{at: now}
		return slog.LevelWarn, 0
	}
	if now.Sub(t.at) < troubleEvery {
		t.untold++
		return slog.LevelDebug, 0
	}
	untold := t.untold
	t.at, t.untold = now, 0
	return slog.LevelWarn, untold
}
