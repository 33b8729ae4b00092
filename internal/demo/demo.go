package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"sidetrack/internal/app"
	"sidetrack/internal/config"
	"sidetrack/internal/recorder"
	"sidetrack/internal/sip"
)

// Options of a demo.
type Options struct {
	Out      string        // folder that gets one folder per recording
	Calls    int           // at once
	Length   time.Duration // of each call, the hold in its middle included
	Log      *slog.Logger  // what the parts of the system log
	Progress func(Status)  // called a few times a second from one goroutine; may be nil
}

// Validate tells which option is out of its range.
func (o Options) Validate() error {
	if o.Calls < 1 || o.Calls > 50 {
		return fmt.Errorf("calls: %d is not from 1 to 50", o.Calls)
	}
	if o.Length < 4*time.Second || o.Length > 10*time.Minute {
		return fmt.Errorf("seconds: %g is not from 4 to 600", o.Length.Seconds())
	}
	return nil
}

// Status is how far the demo is.
type Status struct {
	Elapsed           time.Duration
	Phase             string // "calling", "talking", "on hold", "hanging up"
	Calls             int    // answered
	Spoken, Heard     int64  // RTP packets of all parties
	Refused, Recorded int64  // sessions the first SRS refused, the second took
}

// System is everything that runs.
type System struct {
	opt     Options
	refuser *recorder.Server // the first SRS: answers 503
	srs     *recorder.Server
	proxy   *app.App
	pbx     *pbx
	caller  *phone
	began   time.Time

	phase    atomic.Pointer[string]
	answered atomic.Int64
	refused  atomic.Int64
	recorded atomic.Int64
	mu       sync.Mutex
	media    []*media // of all parties
}

// The demo's own port ranges: away from the usual defaults, so that it runs
// beside a real proxy, and from what the kernel gives to port 0.
const (
	proxyPorts   = "10000-10999"
	srsPortMin   = 11000
	srsPortMax   = 11999
	refusalCode  = 503
	refusalWords = "Recorder Overloaded"
)

// voices: each party of each call has its own.
func callerVoice(i int) int { return 2 * i }
func calleeVoice(i int) int { return 2*i + 1 }

// number is the call that a user takes part in, from 0.
func number(user string) int {
	var i int
	if len(user) > 2 {
		fmt.Sscanf(user[2:], "%d", &i)
	}
	return i - 1
}

func callerUser(i int) string { return fmt.Sprintf("10%02d", i+1) }
func calleeUser(i int) string { return fmt.Sprintf("20%02d", i+1) }

// Run starts a system, places the calls, stops it and listens to what was
// recorded. An error means that the demo itself could not run; that a recording
// is not whole is told by the Report.
func Run(ctx context.Context, opt Options) (*Report, error) {
	if err := opt.Validate(); err != nil {
		return nil, err
	}
	if opt.Progress == nil {
		opt.Progress = func(Status) {}
	}
	s := &System{opt: opt, began: time.Now()}
	if err := s.start(); err != nil {
		s.stop(ctx)
		return nil, err
	}
	stopTicker := s.tell()
	err := s.converse(ctx)
	stopTicker()
	attempts := s.attempts()
	stopped := s.stop(ctx)
	switch {
	case ctx.Err() != nil:
		return nil, errors.New("interrupted")
	case err != nil || stopped != nil:
		return nil, errors.Join(err, stopped)
	}
	return s.report(attempts), nil
}

// start opens everything, from the far end to the near one.
func (s *System) start() error {
	if err := os.MkdirAll(s.opt.Out, 0o755); err != nil {
		return fmt.Errorf("out: %w", err)
	}
	var err error
	s.refuser, err = s.newSRS(filepath.Join(s.opt.Out, ".refused"), func(*sip.Message) (int, string) {
		s.refused.Add(1)
		return refusalCode, refusalWords
	})
	if err != nil {
		return err
	}
	s.srs, err = s.newSRS(s.opt.Out, func(*sip.Message) (int, string) {
		s.recorded.Add(1)
		return 0, ""
	})
	if err != nil {
		return err
	}
	s.pbx, err = newPBX(s.opt.Log.With("part", "pbx"), func(user string) (*media, error) {
		return s.party(user, calleeVoice(number(user)))
	})
	if err != nil {
		return err
	}
	if err := s.startProxy(); err != nil {
		return err
	}
	s.caller, err = newPhone("Caller", s.opt.Log.With("part", "caller"), refuse{})
	return err
}

func (s *System) newSRS(out string, answer func(*sip.Message) (int, string)) (*recorder.Server, error) {
	srs, err := recorder.New(recorder.Config{
		Listen: []string{"udp://127.0.0.1:0", "tcp://127.0.0.1:0"}, Out: out,
		PortMin: srsPortMin, PortMax: srsPortMax, Answer: answer, Log: s.opt.Log.With("part", "srs"),
	})
	if err != nil {
		return nil, err
	}
	return srs, srs.Start()
}

// startProxy runs the real thing with a real configuration file.
func (s *System) startProxy() error {
	text := fmt.Sprintf(`sip:
  listen: [udp://127.0.0.1:0, tcp://127.0.0.1:0]
  trusted: [127.0.0.0/8]
  drain: 5s
routes:
  - {name: pbx, to: "sip:%s"}
media: {listen: 127.0.0.1, ports: %s}
recorders:
  main: {srs: ["%s", "%s"], timeout: 10s}
recording:
  - {name: everything, recorder: main}
http: {listen: ""}
`, s.pbx.phone.listener.Bound, proxyPorts, tcp(s.refuser), tcp(s.srs))
	cfg, problems := config.Parse("demo.yaml", []byte(text), config.Options{})
	if len(problems) > 0 {
		return fmt.Errorf("configuration of the proxy: %w", problems.Err())
	}
	proxy, err := app.New(cfg, app.Options{Log: s.opt.Log.With("part", "proxy"), Version: "demo"})
	if err != nil {
		return err
	}
	if err := proxy.Start(); err != nil {
		return err
	}
	s.proxy = proxy
	return nil
}

// tcp is an SRS's URI for the transport that large INVITEs want.
func tcp(srs *recorder.Server) string {
	for _, u := range srs.URIs() {
		if strings.Contains(u, "transport=tcp") {
			return u
		}
	}
	return srs.URIs()[0]
}

// tell reports progress until its result is called.
func (s *System) tell() (stop func()) {
	done, told := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(told)
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				s.opt.Progress(s.status())
			case <-done:
				return
			}
		}
	}()
	return func() { close(done); <-told }
}

func (s *System) status() Status {
	st := Status{Elapsed: time.Since(s.began), Calls: int(s.answered.Load()), Refused: s.refused.Load(), Recorded: s.recorded.Load()}
	if p := s.phase.Load(); p != nil {
		st.Phase = *p
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.media {
		st.Spoken += m.sent.Load()
		st.Heard += m.heard.Load()
	}
	return st
}

// party opens the media of one user, to be closed at the end.
func (s *System) party(user string, voice int) (*media, error) {
	m, err := newMedia(user, voice)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.media = append(s.media, m)
	return m, nil
}

// spoken is how many packets a user sent.
func (s *System) spoken(user string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.media {
		if m.user == user {
			return m.sent.Load()
		}
	}
	return 0
}

// stop ends everything, the near end first. Calls that are still up, because
// ctx has ended, are not waited for.
func (s *System) stop(ctx context.Context) error {
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	var errs []error
	if s.proxy != nil {
		errs = append(errs, s.proxy.Stop(ctx))
	}
	if s.caller != nil {
		s.caller.close()
	}
	if s.pbx != nil {
		s.pbx.phone.close()
	}
	s.mu.Lock()
	all := s.media
	s.mu.Unlock()
	for _, m := range all {
		m.close()
	}
	for _, srs := range []*recorder.Server{s.srs, s.refuser} {
		if srs != nil {
			errs = append(errs, srs.Close(last))
		}
	}
	os.Remove(filepath.Join(s.opt.Out, ".refused")) // empty: it took nothing
	return errors.Join(errs...)
}
