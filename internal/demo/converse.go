package demo

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"sidetrack/internal/recorder"
)

// step is a part of all calls at once.
type step struct {
	phase string
	do    func(ctx context.Context, number int, c *call) error
	until func(recorder.Summary) bool // what the SRS must have seen of each session before the time counts; nil: nothing
	share float64                     // of the calls' length
}

var steps = []step{
	{"talking", nothing, heard, .4},
	{"on hold", func(ctx context.Context, _ int, c *call) error { return c.offer(ctx, "sendonly") }, paused, .25},
	{"talking", func(ctx context.Context, _ int, c *call) error { return c.offer(ctx, "sendrecv") }, resumed, .35},
	{"hanging up", func(ctx context.Context, _ int, c *call) error { return c.hangUp(ctx) }, ended, 0},
}

func nothing(context.Context, int, *call) error { return nil }

// patience bounds the wait for the SRS. What it has not seen by then will be
// told by the report.
const patience = 15 * time.Second

// converse places all calls and takes them through talk, hold and talk. A
// step's time runs from when the SRS has seen it begin, so that a busy machine
// makes the demo longer, not wrong.
func (s *System) converse(ctx context.Context) error {
	s.enter("calling")
	calls := make([]*call, s.opt.Calls)
	err := s.each(calls, func(i int) error { return s.place(ctx, calls, i) })
	for _, step := range steps {
		if err != nil {
			return err
		}
		s.enter(step.phase)
		err = s.each(calls, func(i int) error { return step.do(ctx, i, calls[i]) })
		if err == nil {
			s.await(ctx, step.until)
			err = wait(ctx, time.Duration(step.share*float64(s.opt.Length)))
		}
	}
	return err
}

// each does the same with all calls at once and returns the first error.
func (s *System) each(calls []*call, do func(i int) error) error {
	errs := make([]error, len(calls))
	var all sync.WaitGroup
	for i := range calls {
		all.Go(func() { errs[i] = do(i) })
	}
	all.Wait()
	for i, err := range errs {
		switch {
		case errors.Is(err, context.Canceled):
			return err
		case err != nil:
			return fmt.Errorf("call %d, %s: %w", i+1, *s.phase.Load(), err)
		}
	}
	return nil
}

func (s *System) place(ctx context.Context, calls []*call, i int) error {
	m, err := s.party(callerUser(i), callerVoice(i))
	if err != nil {
		return err
	}
	calls[i], err = s.caller.place(ctx, calleeUser(i), s.proxy.Listeners()[0].Bound, m)
	if err == nil {
		s.answered.Add(1)
	}
	return err
}

func (s *System) enter(phase string) { s.phase.Store(&phase) }

// await returns when all sessions have come so far, or patience or ctx ends.
func (s *System) await(ctx context.Context, far func(recorder.Summary) bool) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for !s.all(far) && wait(ctx, 20*time.Millisecond) == nil {
	}
}

func (s *System) all(far func(recorder.Summary) bool) bool {
	sessions := s.srs.Sessions()
	for _, sum := range sessions {
		if !far(sum) {
			return false
		}
	}
	return len(sessions) >= s.opt.Calls
}

func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func heard(sum recorder.Summary) bool {
	return every(sum, func(st recorder.StreamSummary) bool { return st.Packets > 0 })
}

func paused(sum recorder.Summary) bool {
	return every(sum, func(st recorder.StreamSummary) bool { return len(st.Pauses) > 0 })
}

func resumed(sum recorder.Summary) bool {
	return every(sum, func(st recorder.StreamSummary) bool { return len(st.Pauses) > 0 && st.Pauses[len(st.Pauses)-1].To > 0 })
}

func ended(sum recorder.Summary) bool { return !sum.End.IsZero() }

func every(sum recorder.Summary, is func(recorder.StreamSummary) bool) bool {
	for _, st := range sum.Streams {
		if !is(st) {
			return false
		}
	}
	return len(sum.Streams) > 0
}
