package recorder

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"

	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
)

// Server is a Session Recording Server. Its methods may be called from any
// goroutine.
type Server struct {
	cfg   Config
	ports *portRange

	transport *transport.Layer
	layer     *txn.Layer
	clerk     *clerk
	disk      *disk
	finishing sync.WaitGroup // sessions whose files are being closed
	closing   *gate          // … and where they wait for that
	folder    *os.File       // the output folder, locked
	rescuing  sync.WaitGroup // the goroutine that concludes what a killed recorder has left
	stopping  chan struct{}  // it is to end

	mu      sync.Mutex
	started bool
	stopped bool
	live    []*session
	ended   []Summary // the last Config.History
}

// New checks the configuration. Nothing is opened before Start.
func New(cfg Config) (*Server, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Server{cfg: cfg, ports: newPortRange(cfg.PortMin, cfg.PortMax), closing: newGate(), stopping: make(chan struct{})}
	return s, nil
}

// Start makes the folder and opens the listeners. When one of them cannot be opened
// all are closed again and the error tells in one line which. It is called once.
func (s *Server) Start() error {
	if err := probe(s.cfg.Out); err != nil {
		return fmt.Errorf("the output folder cannot be written to: %w", err)
	}
	left, err := s.claim()
	if err != nil {
		return fmt.Errorf("the output folder cannot be read: %w", errors.Join(err, s.folder.Close()))
	}
	s.transport = transport.New(transport.Config{Log: s.cfg.Log, OnMessage: func(in transport.Inbound) { s.layer.Receive(in) }})
	s.layer = txn.New(txn.Config{
		Log: s.cfg.Log, Lanes: s.cfg.Lanes, T1: s.cfg.T1, Transport: s.transport, UserAgent: s.cfg.UserAgent,
	})
	s.clerk = newClerk(s.cfg.Log)
	s.disk = &disk{out: s.cfg.Out, every: s.cfg.ProbeInterval, clerk: s.clerk, log: s.cfg.Log}
	s.layer.Start(handler{s})
	s.mu.Lock()
	s.started = true
	s.mu.Unlock()
	s.rescuing.Add(1)
	go s.rescue(left)
	for _, url := range s.cfg.Listen {
		if _, err := s.transport.Listen(url, s.cfg.Advertise); err != nil {
			return errors.Join(err, s.Close(context.Background()))
		}
	}
	return nil
}

// URIs returns one SIP URI per listener, in the order of Config.Listen: what a
// client puts into its list of recorders.
func (s *Server) URIs() []string {
	var uris []string
	if s.transport == nil {
		return nil
	}
	for _, l := range s.transport.Listeners() {
		uris = append(uris, l.ContactURI(""))
	}
	return uris
}

// Sessions returns the sessions that ended last, oldest first, then the live ones.
func (s *Server) Sessions() []Summary {
	s.mu.Lock()
	list := append([]Summary(nil), s.ended...)
	live := append([]*session(nil), s.live...)
	s.mu.Unlock()
	for _, ss := range live {
		list = append(list, ss.snapshot())
	}
	return list
}

// Live is the number of sessions that have not ended.
func (s *Server) Live() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.live)
}

// admit registers a session; false when there are too many or the server closes.
func (s *Server) admit(ss *session) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped || len(s.live) >= s.cfg.MaxSessions {
		return false
	}
	s.live = append(s.live, ss)
	// Counted from here, so that Close finds every session that it has to wait for.
	s.finishing.Add(1)
	return true
}

// dismiss removes an ended session and keeps what there is to tell about it.
func (s *Server) dismiss(ss *session, sum *Summary) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, l := range s.live {
		if l == ss {
			s.live = append(s.live[:i:i], s.live[i+1:]...)
			break
		}
	}
	if sum != nil {
		s.keep(*sum)
	}
	s.finishing.Done()
}

// keep has Sessions tell of an ended session. mu is held.
func (s *Server) keep(sum Summary) {
	if len(s.ended) >= s.cfg.History {
		s.ended = append(s.ended[:0], s.ended[len(s.ended)-s.cfg.History+1:]...)
	}
	s.ended = append(s.ended, sum)
}

// tell tells whoever wants to know. It runs on the clerk.
func (s *Server) tell(sum Summary) {
	if s.cfg.OnSession != nil {
		s.cfg.OnSession(sum)
	}
}

// Close ends all sessions with BYE, writes their files and releases everything.
// Answers to the BYEs, and ACKs without which none may leave, are awaited until ctx
// ends; files are written in any case.
// Further calls do nothing.
func (s *Server) Close(ctx context.Context) error {
	s.mu.Lock()
	if s.stopped || !s.started {
		s.stopped = true
		s.mu.Unlock()
		return nil
	}
	s.stopped = true
	close(s.stopping)
	live := append([]*session(nil), s.live...)
	s.mu.Unlock()

	// 1. BYE to every client; 2. their files; 3. what they stood on.
	goodbyes := make(chan struct{}, len(live))
	for _, ss := range live {
		ss.lane.Post(func() { ss.hangUp("recorder stopped", func() { goodbyes <- struct{}{} }) })
	}
	err := await(ctx, goodbyes, len(live))
	for _, ss := range live {
		ss.lane.Post(func() { ss.abort("recorder stopped") }) // that still wait for an ACK
	}
	s.finishing.Wait()
	s.rescuing.Wait()
	s.layer.Close()
	s.disk.close()
	s.clerk.close()
	return errors.Join(err, s.transport.Close(), s.folder.Close())
}

func await(ctx context.Context, done <-chan struct{}, n int) error {
	for i := range n {
		select {
		case <-done:
		case <-ctx.Done():
			return fmt.Errorf("%d of %d clients did not answer the BYE: %w", n-i, n, ctx.Err())
		}
	}
	return nil
}
