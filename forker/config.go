package forker

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"net/netip"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Defaults and bounds of Config.
const (
	defaultDrain = time.Second
	maxDrain     = 10 * time.Second

	maxWorkers = 8 // unless configured

	defaultBuffer       = 10 * time.Second
	defaultBufferMemory = 256 << 20
)

// Config says how an Engine is to work. Only the ports and Listen are needed.
type Config struct {
	// The first Interface: where Relay.Use and TapConfig.Interface name none.
	Listen, Advertise netip.Addr
	PortMin, PortMax  int
	DSCP              int

	Interfaces map[string]Interface // others, by name; their ports must not overlap where their addresses do

	Timeout time.Duration // no RTP from any party that should send for so long: Relay.OnTimeout; 0: never
	Drain   time.Duration // a released port must be silent for so long before reuse; 0: 1 s, at most 10 s

	Buffer       time.Duration // how much of a flow a Tap keeps while it has no address; 0: 10 s; negative: nothing
	BufferMemory int64         // bytes that all taps together may keep; 0: 256 MB

	// LatchAnywhere has the media of a party believed from any host that shows a
	// run of packets, also where SDP names the host that its signalling comes from.
	LatchAnywhere bool

	// MaxRate is how many packets a second a port takes from the party that it
	// belongs to; what comes beyond is dropped and counted. A second's worth may come
	// at once. 0: no bound.
	MaxRate int

	// Batch is how many copies of a tap may leave as one send, 2 to 16, which
	// costs each up to 80 ms; 0 or 1: each leaves at once; BatchAdaptive: 4 under
	// load. Only where the platform can (Linux).
	Batch int

	Workers  int  // threads that move packets, at most, where the platform has them; they are used as the load asks. 0: one a processor, at most 8
	Portable bool // use the portable driver (goroutine per socket) even where a better one exists

	Log        *slog.Logger          // nil: discarded
	Registerer prometheus.Registerer // nil: no metrics registered
}

// ErrNoPorts tells that no even/odd pair of the range could be bound now:
// all used, draining, occupied by other programs, or the process has no file
// descriptors left. A call that meets it is to be refused with 503.
var ErrNoPorts = errors.New("no media ports free")

// ErrClosed tells that the Relay or Engine has been closed.
var ErrClosed = errors.New("forker: closed")

// first is the interface that the fields of Config itself describe.
func (c *Config) first() Interface {
	return Interface{Listen: c.Listen, Advertise: c.Advertise, PortMin: c.PortMin, PortMax: c.PortMax, DSCP: c.DSCP}
}

// normalize fills defaults in and checks the rest; every mistake is named.
func (c *Config) normalize() error {
	first := c.first()
	errs := []error{first.normalize()}
	c.Advertise = first.Advertise
	c.Interfaces = maps.Clone(c.Interfaces)
	for name, i := range c.Interfaces {
		if err := i.normalize(); err != nil {
			errs = append(errs, fmt.Errorf("interface %q: %w", name, err))
		}
		c.Interfaces[name] = i
	}
	if c.Timeout < 0 {
		errs = append(errs, fmt.Errorf("timeout %v: negative", c.Timeout))
	}
	if c.MaxRate < 0 || c.MaxRate > math.MaxInt32 {
		errs = append(errs, fmt.Errorf("max rate %d: want 0 to %d packets a second", c.MaxRate, math.MaxInt32))
	}
	if c.Batch < BatchAdaptive || c.Batch > maxBatch {
		errs = append(errs, fmt.Errorf("batch %d: want 0 to %d, or %d for adaptive", c.Batch, maxBatch, BatchAdaptive))
	}
	if c.Drain <= 0 {
		c.Drain = defaultDrain
	}
	c.Drain = min(c.Drain, maxDrain)
	if c.Buffer == 0 {
		c.Buffer = defaultBuffer
	}
	c.Buffer = max(c.Buffer, 0)
	if c.BufferMemory <= 0 {
		c.BufferMemory = defaultBufferMemory
	}
	if c.Workers <= 0 {
		c.Workers = min(runtime.GOMAXPROCS(0), maxWorkers)
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return errors.Join(errs...)
}
