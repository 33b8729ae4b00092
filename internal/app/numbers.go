package app

import (
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sidetrack/internal/config"
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
	files := make([]watched, len(lists))
	w.entries.Reset()
	w.good.Reset()
	for i, l := range lists {
		read := stamp{l.At, l.Size}
		files[i] = watched{NumberList: l, read: read, pending: read}
		w.entries.WithLabelValues(l.File).Set(float64(l.List.Len()))
		w.good.WithLabelValues(l.File).Set(1)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.files = files
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

// Stop ends the watch. Once.
func (w *watch) Stop() {
	close(w.stop)
	w.running.Wait()
}

func (w *watch) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.files {
		f := &w.files[i]
		now := stampOf(f.File)
		settled := now == f.pending // nobody is just writing it
		f.pending = now
		if now == f.read || !settled {
			continue
		}
		f.read = now
		set, err := f.Read()
		if err != nil {
			w.good.WithLabelValues(f.File).Set(0)
			w.log.Error("a list of numbers stays as it was", "file", f.File, "error", err)
			continue
		}
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
