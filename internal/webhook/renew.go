package webhook

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"time"
)

// leaveTime is how long the last events of a hook that is no more may take.
const leaveTime = 2 * time.Second

// Prepare opens the spools of hooks that are new; swap puts these hooks in the
// place of those before, undo gives them up, one of both is to be called. A hook is known by its
// name: with it goes what still waits for it. What waits for one that is no more
// stays on disk, for the day on which there is a hook of that name again. dir
// counts for new hooks. The error is one line that names the folder.
func (s *Sender) Prepare(hooks []Hook, dir string, max int64) (swap, undo func(), err error) {
	s.leaving.Wait() // a name may come back
	s.mu.RLock()
	was := s.couriers
	s.mu.RUnlock()
	now := make([]*courier, len(hooks))
	var made []*courier
	undo = func() {
		for _, c := range made {
			_ = c.spool.close() // nothing was written
		}
	}
	for i, h := range hooks {
		if k := slices.IndexFunc(was, func(c *courier) bool { return c.name == h.Name }); k >= 0 {
			now[i] = was[k]
			continue
		}
		folder := filepath.Join(dir, h.Name)
		sp, err := openSpool(folder, max)
		if err != nil {
			undo()
			var pe *fs.PathError
			if errors.As(err, &pe) {
				err = pe.Err
			}
			return nil, nil, fmt.Errorf("%s cannot be used: %w", folder, err)
		}
		now[i] = &courier{
			name: h.Name, backoff: s.cfg.Backoff, log: s.cfg.Log.With("webhook", h.Name), spool: sp, metrics: s.metrics,
			in: make(chan record, backlog), written: make(chan struct{}, 1), changed: make(chan struct{}, 1),
		}
		made = append(made, now[i])
	}
	return func() { s.replace(was, now, hooks, max) }, undo, nil
}

func (s *Sender) replace(was, now []*courier, hooks []Hook, max int64) {
	for i, c := range now {
		s.metrics.prepare(c.name)
		c.spool.bound(max)
		if before := c.post.Swap(newPost(hooks[i], s.cfg.UserAgent)); before == nil {
			c.start()
		} else {
			before.client.CloseIdleConnections()
			select {
			case c.changed <- struct{}{}:
			default:
			}
		}
	}
	s.mu.Lock()
	s.couriers = now
	s.mu.Unlock()
	for _, c := range was {
		if !slices.Contains(now, c) {
			close(c.in) // nobody publishes to it any more
			s.leaving.Go(func() { s.leave(c) })
		}
	}
}

func (s *Sender) leave(c *courier) {
	ctx, cancel := context.WithTimeout(context.Background(), leaveTime)
	defer cancel()
	if err := c.finish(ctx); err != nil {
		c.log.Error("closing the queue of a webhook that is no more", "error", err)
	}
	if left := c.spool.depth(); left > 0 {
		c.log.Warn("events wait on disk for a webhook that is no more", "events", left)
	}
}
