package webhook_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"sidetrack/internal/webhook"
)

func put(t *testing.T, s *webhook.Sender, dir string, hooks ...webhook.Hook) {
	t.Helper()
	swap, _, err := s.Prepare(hooks, dir, 8<<20)
	if err != nil {
		t.Fatal(err)
	}
	swap()
}

// A receiver that has moved gets at its new place what waits for it, at once and
// in order; one that is no more gets nothing, and finds it when it is back.
func TestHooksChange(t *testing.T) {
	dead, there, late := receive(t, always(503)), receive(t, always(200)), receive(t, always(200))
	dir := t.TempDir()
	cfg := config(dir, dead.server.URL)
	cfg.Backoff = func(int) time.Duration { return time.Hour }
	s := open(t, cfg)
	for i := range 3 {
		s.Publish(uint64(i), "x", []byte(number(i)))
	}
	eventually(t, "it was tried", func() bool { return dead.requests() == 1 })

	crm, second := cfg.Hooks[0], cfg.Hooks[0]
	crm.URL, second.Name, second.URL = there.server.URL, "late", late.server.URL
	put(t, s, dir, crm, second)
	s.Publish(3, "x", []byte(number(3)))
	eventually(t, "it came to the new place", func() bool { return len(there.got()) == 4 })
	inOrder(t, there.got(), 4)
	eventually(t, "the new one has it, too", func() bool { return len(late.got()) == 1 })

	second.URL = dead.server.URL
	put(t, s, dir, crm, second)
	s.Publish(4, "x", []byte(number(4)))
	eventually(t, "it was tried there", func() bool { return dead.requests() >= 2 })
	put(t, s, dir, crm) // late is no more
	s.Publish(5, "x", []byte(number(5)))
	second.URL = late.server.URL
	put(t, s, dir, crm, second)
	eventually(t, "what had waited has come", func() bool { return len(late.got()) == 2 })
	if got := late.got(); got[1] != number(4) {
		t.Errorf("got %v", got)
	}
	if err := s.Close(context.Background()); err != nil {
		t.Error(err)
	}
	inOrder(t, there.got(), 6)
}

// A queue that cannot be opened changes nothing, whatever else could be.
func TestHooksThatCannotBe(t *testing.T) {
	r := receive(t, always(200))
	dir := t.TempDir()
	cfg := config(dir, r.server.URL)
	s := open(t, cfg)
	good := cfg.Hooks[0]
	good.Name = "good"
	third := cfg.Hooks[0]
	third.Name = "third\x00"
	if _, _, err := s.Prepare([]webhook.Hook{good, third}, dir, 8<<20); err == nil {
		t.Error("a folder that cannot be made is taken")
	}
	_, undo, err := s.Prepare([]webhook.Hook{good}, dir, 8<<20)
	if err != nil {
		t.Fatal(err)
	}
	undo()
	put(t, s, dir, good, cfg.Hooks[0]) // it was given back
	s.Publish(0, "x", []byte(number(0)))
	eventually(t, "events go on, for both", func() bool { return slices.Equal(r.got(), []string{number(0), number(0)}) })
	closeNow(t, s)
}
