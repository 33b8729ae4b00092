package app

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sidetrack/internal/config"
	"sidetrack/policy"
)

// watchEvery is how often files are looked at that rules go by.
const watchEvery = 2 * time.Second

// watch reads lists of numbers again when their files have changed. A file that
// cannot be read, or has a mistake, leaves the old list in force.
type watch struct {
	log     *slog.Logger
	entries *prometheus.GaugeVec
	good    *prometheus.GaugeVec
	stop    chan struct{}
	running sync.WaitGroup

	mu    sync.Mutex
	files []watched
	turn  int // how often Follow was called
}

type watched struct {
	config.NumberList
	read    stamp // of what was read last
	pending stamp // of the newest look: read when it is the same a look later
}

// stamp is what changes when a file is written or replaced.
type stamp struct {
	at   time.Time
	size int64
}

func newWatch(log *slog.Logger, reg prometheus.Registerer) *watch {
	w := &watch{
		log: log, stop: make(chan struct{}),
		entries: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "sidetrack_number_list_entries",
			Help: "Entries of a list of numbers that rules go by.",
		}, []string{"file"}),
		good: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "sidetrack_number_list_last_read_successful",
			Help: "1 when the last reading of the file succeeded, else 0: the list before it is in force.",
		}, []string{"file"}),
	}
	reg.MustRegister(w.entries, w.good)
	return w
}

// Follow has these lists watched and no others any more. One that has changed since it was
// read is read again.
func (w *watch) Follow(lists []config.NumberList) {
	w.mu.Lock()
	defer w.mu.Unlock()
	files := make([]watched, len(lists))
	w.entries.Reset()
	w.good.Reset()
	for i, l := range lists {
		read := stamp{l.At, l.Size}
		files[i] = watched{NumberList: l, read: read, pending: read}
		w.entries.WithLabelValues(l.File).Set(float64(l.List.Len()))
		w.good.WithLabelValues(l.File).Set(1)
	}
	w.files = files
	w.turn++
}

// Start looks at the files until Stop.
func (w *watch) Start(every time.Duration) {
	w.running.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				w.look()
			case <-w.stop:
				return
			}
		}
	})
}

// Stop ends the watch. A file that it cannot read to the end in the time given is left to hang. Once.
func (w *watch) Stop(limit time.Duration) {
	close(w.stop)
	_ = within(limit, "lists of numbers", func(context.Context) error { // nothing is lost
		w.running.Wait()
		return nil
	})
}

// look reads without mu, for a disk may hang. What it has seen is forgotten when other lists
// are followed by then.
func (w *watch) look() {
	w.mu.Lock()
	files, turn := slices.Clone(w.files), w.turn
	w.mu.Unlock()
	for i := range files {
		f := &files[i]
		now := stampOf(f.File)
		settled := now == f.pending // nobody is just writing it
		f.pending = now
		if now == f.read || !settled {
			continue
		}
		f.read = now
		set, err := f.Read()
		w.renew(f, turn, set, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if turn == w.turn {
		w.files = files
	}
}

// renew puts a list in force that was read.
func (w *watch) renew(f *watched, turn int, set *policy.NumberSet, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case turn != w.turn:
	case err != nil:
		w.good.WithLabelValues(f.File).Set(0)
		w.log.Error("a list of numbers stays as it was", "file", f.File, "error", err)
	default:
		f.List.Replace(set)
		w.good.WithLabelValues(f.File).Set(1)
		w.entries.WithLabelValues(f.File).Set(float64(set.Len()))
		w.log.Info("a list of numbers has changed", "file", f.File, "entries", set.Len())
	}
}

func stampOf(file string) stamp {
	info, err := os.Stat(file)
	if err != nil {
		return stamp{}
	}
	return stamp{info.ModTime(), info.Size()}
}
