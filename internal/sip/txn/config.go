package txn

import (
	"io"
	"log/slog"
	"net/netip"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sidetrack/internal/sip/resolve"
	"sidetrack/internal/sip/transport"
)

// Config is what a Layer needs to know. Only Transport has no default.
type Config struct {
	Log   *slog.Logger // nil: no logs
	Lanes int          // number of lanes; default GOMAXPROCS

	// Timer values of RFC 3261 §17, Table 4.
	T1, T2, T4 time.Duration // default 500 ms, 4 s, 5 s
	TimerB     time.Duration // a request without answer (B and F); default 64*T1
	TimerC     time.Duration // an INVITE without final answer, counted from the last 101–199; default 181 s

	Transport Transport
	Resolver  *resolve.Resolver // the layer's own, closed with it; nil: one with the system's settings
	// MailboxLimit is how many received messages may wait on one lane. Above
	// it requests that begin something get 503 with Retry-After, as they do when
	// such requests have waited too long for a second; above four times of it all are dropped.
	// Default 10000.
	MailboxLimit int
	// Registerer takes sidetrack_sip_messages_total and
	// sidetrack_sip_rejected_total; nil: counted, not registered.
	Registerer prometheus.Registerer
	Rates      Rates  // of requests that begin something; zero: no limits
	UserAgent  string // Server field of responses made with Reply; "" for none

	Now func() time.Time // what Lane.Now tells; nil: time.Now. Timers go by the real clock
}

// Transport is what the layer needs of the transport layer; *transport.Layer
// has it. See there for the contracts.
type Transport interface {
	Send(f transport.Flow, b []byte) error
	Find(f transport.Flow) (transport.Flow, bool)
	Dial(f transport.Flow, timeout time.Duration, done func(transport.Flow, error))
	DialBack(f transport.Flow, done func(transport.Flow, error))
	Retire(f transport.Flow, quiet time.Duration)
	Pick(proto string, remote netip.Addr) *transport.Listener
	Watch(transport.Events)
}

var _ Transport = (*transport.Layer)(nil)

func (c Config) withDefaults() Config {
	if c.Log == nil {
		c.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	if c.Lanes <= 0 {
		c.Lanes = runtime.GOMAXPROCS(0)
	}
	orDefault(&c.T1, 500*time.Millisecond)
	orDefault(&c.T2, 4*time.Second)
	orDefault(&c.T4, 5*time.Second)
	orDefault(&c.TimerB, 64*c.T1)
	orDefault(&c.TimerC, 181*time.Second)
	if c.Resolver == nil {
		c.Resolver = resolve.New(resolve.Config{Log: c.Log})
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.MailboxLimit <= 0 {
		c.MailboxLimit = 10000
	}
	return c
}

func orDefault(d *time.Duration, def time.Duration) {
	if *d <= 0 {
		*d = def
	}
}
