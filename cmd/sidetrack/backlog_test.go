package main

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"sidetrack/internal/config"
)

// held is a terminal or a pipe that takes nothing for a while.
type held struct {
	output
	gate chan struct{} // of each write
	once sync.Once
}

func (h *held) Write(b []byte) (int, error) {
	<-h.gate
	return h.output.Write(b)
}

func (h *held) release() { h.once.Do(func() { close(h.gate) }) }

func TestNobodyWaitsForTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const lines = 100_000
		w := &held{gate: make(chan struct{})}
		defer w.release()
		out, style := newBacklog(w), newLogStyle(config.Log{Format: "text"})
		log := slog.New(logHandler(out, style))
		over := false
		go func() {
			for i := range lines {
				log.Info("a line that tells something of a call", "call", fmt.Sprint(i))
			}
			over = true
		}()
		synctest.Wait()
		if !over {
			t.Fatal("who writes a line waits until somebody reads it")
		}
		w.release()
		synctest.Wait()
		log.Info("the last one")
		out.close()
		written := w.lines("msg=\"a line")
		if written == 0 || written+style.spared("info") != lines {
			t.Errorf("%d lines are written and %d counted as lost, of %d", written, style.spared("info"), lines)
		}
		if want := fmt.Sprintf("level=WARN msg=\"lines are lost: nobody took the log\" lines=%d\n", style.spared("info")); w.lines(want) != 1 || w.lines("the last one") != 1 {
			t.Errorf("the end is not told:\n%s", w.String()[len(w.String())-300:])
		}
		if _, err := out.Write([]byte("late\n")); !errors.Is(err, errBehind) {
			t.Errorf("a line behind the end: %v", err)
		}
	})
}

// Whoever holds the log does not keep the process from ending.
func TestTheLogEndsThoughNobodyTakesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &held{gate: make(chan struct{})}
		out := newBacklog(w)
		fmt.Fprintln(out, "nobody reads this")
		out.close()
		out.close()
		w.release()
	})
}

// No stranger has the log filled by long values; what we say ourselves stays whole.
func TestLongValuesAreCut(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		var out output
		log := slog.New(logHandler(&out, newLogStyle(config.Log{Format: format})))
		long := strings.Repeat("ä", 30_000)
		log.With("call", long).Warn("x", "from", long, "error", errors.New(long), "group", slog.GroupValue(slog.String("to", long)), "none", error(nil))
		if n := len(out.String()); n > 5*maxValue || strings.Count(out.String(), "ä…") != 4 {
			t.Errorf("%s: %d bytes: %.80s", format, n, out.String())
		}
		log.Error("a fault", "stack", long)
		if !strings.Contains(out.String(), long) {
			t.Errorf("%s: a stack is cut", format)
		}
	}
}

// A call is signalled while nobody reads what the proxy says of it.
func TestCallsDoNotWaitForTheLog(t *testing.T) {
	log := &held{gate: make(chan struct{})}
	defer log.release()
	servingTo(t, log).call().hangUp()
}
