package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Config is what a Store needs. Only File is required.
type Config struct {
	File    string        // the SQLite file; made when it is missing, its folder is not
	MaxAge  time.Duration // recordings that began longer ago are removed; 0: never
	MaxSize int64         // bytes in use in the file, above which the oldest are removed; 0: no limit

	Log        *slog.Logger          // nil: discarded
	Registerer prometheus.Registerer // nil: no metrics registered
	Now        func() time.Time      // nil: time.Now

	FlushEvery time.Duration // longest time until a verdict is written; 0: 200 ms
	Queue      int           // verdicts that may wait; 0: 8192
}

const (
	maxBatch   = 256              // verdicts in one transaction
	retryEvery = time.Second      // while the disk refuses
	tidyEvery  = time.Minute      // how often old recordings are looked for
	busyTime   = 2 * time.Second  // for somebody else who writes to the file
	startTime  = 10 * time.Second // for what New does with the file
)

const reasonCrash = "the proxy ended without a word"

// Store is the journal of this process. Its methods may be called from any
// goroutine.
type Store struct {
	*Reader

	// Set once.
	cfg     Config
	log     *slog.Logger
	metrics *metrics
	trouble *trouble
	lock    *os.File
	queue   chan Verdict
	quit    chan struct{}
	done    chan struct{}
	ctx     context.Context // of the writer's work; ends when Close hurries
	hurry   context.CancelFunc

	maxAge, maxSize atomic.Int64 // of cfg at first

	mu     sync.RWMutex // guards closed against Add
	closed bool

	// Owned by run once there is one.
	db      *sql.DB     // nil: the file was moved, and a new one cannot be had yet
	file    fs.FileInfo // of what db has open
	ready   bool        // the schema is there
	aside   time.Time   // when a damaged file was set aside
	pending []Verdict
	tidied  time.Time // when nothing too old was left
	more    bool      // tidy has not come to its end
}

// Open opens or makes the journal. Recordings that a process before left
// running are closed as partial or failed. A file that is none of ours, that
// another process writes, or that cannot be made is an error; a disk that is
// full or fails is not: the journal waits for it.
func Open(cfg Config) (*Store, error) {
	cfg.normalize()
	m, err := newMetrics(cfg.Registerer)
	if err != nil {
		return nil, err
	}
	s := &Store{
		cfg: cfg, log: cfg.Log, metrics: m, trouble: &trouble{log: cfg.Log, now: cfg.Now},
		queue: make(chan Verdict, cfg.Queue), quit: make(chan struct{}), done: make(chan struct{}),
	}
	s.Bound(cfg.MaxAge, cfg.MaxSize)
	if err := s.open(); err != nil {
		return nil, err
	}
	s.ctx, s.hurry = context.WithCancel(context.Background())
	go s.run()
	return s, nil
}

// Bound sets Config.MaxAge and MaxSize anew; what is beyond them goes with the next
// verdict.
func (s *Store) Bound(age time.Duration, size int64) {
	s.maxAge.Store(int64(age))
	s.maxSize.Store(size)
}

// File is the journal's.
func (s *Store) File() string { return s.cfg.File }

func (c *Config) normalize() {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.FlushEvery <= 0 {
		c.FlushEvery = 200 * time.Millisecond
	}
	if c.Queue <= 0 {
		c.Queue = 8192
	}
}

// open takes the file. What is taken is given back on error.
func (s *Store) open() (err error) {
	if err := s.take(); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.release())
		}
	}()
	if s.Reader, err = reader(s.cfg.File); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	err = s.prepare(ctx)
	if s.damaged(err) {
		if err = s.setAside(err); err == nil {
			err = s.prepare(ctx)
		}
	}
	switch {
	case passing(err):
		s.log.Error("journal cannot be written yet", "file", s.cfg.File, "error", err)
		return nil
	case foreign(err):
		return fmt.Errorf("%s: %w (%w)", s.cfg.File, ErrVersion, err)
	case err != nil:
		return fmt.Errorf("%s: %w", s.cfg.File, err)
	}
	return nil
}

// take locks the file, makes it where it is missing, and has SQLite write it. On
// error nothing is taken.
func (s *Store) take() (err error) {
	if s.lock, err = lock(s.cfg.File); err != nil {
		return unopened(s.cfg.File, err)
	}
	if s.file, err = create(s.cfg.File); err != nil {
		return errors.Join(unopened(s.cfg.File, err), s.lock.Close())
	}
	// auto_vacuum only counts before the first page is written, so it is first.
	s.db, err = database(s.cfg.File, "rwc", fmt.Sprintf("busy_timeout(%d)", busyTime.Milliseconds()), "auto_vacuum(2)",
		"journal_mode(WAL)", "synchronous(NORMAL)", "foreign_keys(1)", "journal_size_limit(16777216)")
	if err != nil {
		return errors.Join(err, s.lock.Close())
	}
	s.db.SetMaxOpenConns(1)
	s.ready = false
	return nil
}

// create makes the file, where it is missing, and not SQLite: who was recorded is
// not for everybody to read.
func create(file string) (fs.FileInfo, error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_RDWR, 0o640)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	return info, errors.Join(err, f.Close())
}

// unopened is one line that names the file and the system's own reason.
func unopened(file string, err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return fmt.Errorf("%s cannot be written: %w", file, pe.Err)
	}
	return err
}

// prepare brings the schema up to date and closes what a process before left
// open: it is known that the proxy died, not when.
func (s *Store) prepare(ctx context.Context) error {
	if s.ready {
		return nil
	}
	if err := migrate(ctx, s.db, migrations); err != nil {
		return err
	}
	res, err := s.db.ExecContext(ctx, `UPDATE recordings
		SET result = CASE WHEN taken IS NULL THEN 'failed' ELSE 'partial' END, reason = ? WHERE result = 'running'`, reasonCrash)
	if err != nil {
		return fmt.Errorf("closing what was left running: %w", err)
	}
	if n, err := res.RowsAffected(); err == nil && n > 0 {
		s.log.Warn("recordings were running when the proxy ended", "recordings", n)
	}
	s.ready = true
	return nil
}

// Add hands a verdict to the journal; a later one of the same ID replaces it.
// It never waits: when the queue is full the verdict is dropped and counted,
// those of recordings that still run a little earlier than final ones.
func (s *Store) Add(v Verdict) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		s.drop(1, dropClosed, nil)
		return
	}
	if v.running() && len(s.queue) >= cap(s.queue)-cap(s.queue)/4 {
		s.drop(1, dropQueue, nil)
		return
	}
	select {
	case s.queue <- v:
	default:
		s.drop(1, dropQueue, nil)
	}
}

func (s *Store) drop(n int, reason string, err error) {
	s.metrics.dropped.WithLabelValues(reason).Add(float64(n))
	s.trouble.tell(n, reason, err)
}

// Close writes what is left and closes the file. When ctx ends, whatever is
// under way is cut off; its verdicts count as dropped.
func (s *Store) Close(ctx context.Context) error {
	s.mu.Lock()
	first := !s.closed
	s.closed = true
	s.mu.Unlock()
	if !first {
		<-s.done
		return nil
	}
	close(s.quit)
	stop := context.AfterFunc(ctx, s.hurry)
	<-s.done
	stop()
	s.hurry()
	return s.release()
}

// release closes what open has taken.
func (s *Store) release() error {
	var err error
	if s.Reader != nil {
		err = s.Reader.Close()
	}
	if s.db == nil {
		return err
	}
	// The last one, so that it leaves no -wal behind.
	return errors.Join(err, s.db.Close(), s.lock.Close())
}
