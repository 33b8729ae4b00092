package app

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"sidetrack/internal/config"
	"sidetrack/policy"
)

// TestWatchedNumbers writes the file that a rule goes by again and again, as
// operators do: whole, with a mistake, and after it was gone.
func TestWatchedNumbers(t *testing.T) {
	file := filepath.Join(t.TempDir(), "list.txt")
	write := func(name, text string) {
		t.Helper()
		// At once: a busy machine may let half a file stand long enough to be believed.
		if err := errors.Join(os.WriteFile(name+".new", []byte(text), 0o600), os.Rename(name+".new", name)); err != nil {
			t.Fatal(err)
		}
	}
	write(file, "1\n")
	list := config.NumberList{File: file, List: policy.NewNumbers(file, nil)}
	if info, err := os.Stat(file); err != nil {
		t.Fatal(err)
	} else {
		list.At, list.Size = info.ModTime(), info.Size()
	}
	set, err := list.Read()
	if err != nil {
		t.Fatal(err)
	}
	list.List.Replace(set)
	var said lines
	reg := prometheus.NewRegistry()
	w := newWatch(slog.New(slog.NewTextHandler(&said, nil)), reg)
	write(file, "55555\n") // while the proxy was not looking yet
	w.Follow([]config.NumberList{list})
	w.Start(time.Millisecond)
	defer w.Stop(time.Minute)
	has := func(user string) bool { return list.List.Has(policy.Address{User: user}) }
	await := func(what string, holds func() bool) {
		t.Helper()
		for end := time.Now().Add(time.Minute); !holds(); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("never: %s; the log says\n%s", what, said.String())
			}
		}
	}
	if has("22") {
		t.Fatal("the first reading")
	}
	await("55555 is on the list", func() bool { return has("55555") && !has("1") })
	write(file, "22\n333\n")
	await("22 is on the list", func() bool { return has("22") && !has("55555") })
	await("two entries counted", func() bool { return testutil.ToFloat64(w.entries.WithLabelValues(file)) == 2 })

	write(file, "22\n333\n<broken>\n# longer\n")
	await("a mistake is told", func() bool { return strings.Contains(said.String(), "line 3") })
	await("the metric tells", func() bool { return testutil.ToFloat64(w.good.WithLabelValues(file)) == 0 })
	if !has("22") {
		t.Error("a file with a mistake has emptied the list")
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	await("a missing file is told", func() bool { return strings.Contains(said.String(), "cannot be read") })
	if !has("22") {
		t.Error("a missing file has emptied the list")
	}
	write(file, "4444\n")
	await("4444 is on the list", func() bool { return has("4444") })
	await("the metric is well again", func() bool { return testutil.ToFloat64(w.good.WithLabelValues(file)) == 1 })
}

// lines is a log that may be read while it is written.
type lines struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
