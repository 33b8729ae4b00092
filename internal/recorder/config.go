package recorder

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"sidetrack/internal/sip"
)

// Config is what a Server needs. Listen and Out must be given.
type Config struct {
	Listen    []string // udp://host:port, tcp://host:port
	Advertise string   // host in Via, Contact and SDP; "": the socket's own, or the address towards the client
	Out       string   // folder that gets one folder per session; made when missing
	PortMin   int      // media ports, even for RTP; 0 and 0: 30000–39999
	PortMax   int

	// Answer may refuse an INVITE: a status from 300 on is sent with its reason
	// and nothing else happens. nil or 0: the call is taken. It is
	// called on a lane and must not block.
	Answer func(invite *sip.Message) (status int, reason string)
	// OnSession hears of each session that has ended, when all its files are
	// written. It is called on one goroutine, one session after another, that which writes
	// the files: it must not block.
	OnSession func(Summary)

	MaxSessions   int           // at once; above it 503; default 5000
	History       int           // ended sessions that Sessions still tells; default 4096
	IdleTimeout   time.Duration // no RTP, RTCP or request for so long ends a session; default 2 min
	PauseTimeout  time.Duration // the same while all its streams are paused; default 1 h
	Linger        time.Duration // media is still taken for so long after the end; default 200 ms
	ProbeInterval time.Duration // while the disk refuses, it is tried again so often; default 2 s
	RTCPInterval  time.Duration // mean time between receiver reports (RFC 3550 §6.2); default 5 s
	MinSE         time.Duration // shortest session interval taken (RFC 4028 §5); default 90 s, as the RFC demands
	T1            time.Duration // SIP's round trip estimate (RFC 3261 §17.1.1.1); default 500 ms
	Lanes         int           // see txn.Config; default GOMAXPROCS
	UserAgent     string        // Server header; default "sidetrack recorder"
	Log           *slog.Logger  // nil: no log
}

func (c Config) withDefaults() (Config, error) {
	if len(c.Listen) == 0 {
		return c, errors.New("no address to listen on")
	}
	for _, l := range c.Listen {
		if !strings.HasPrefix(l, "udp://") && !strings.HasPrefix(l, "tcp://") {
			return c, fmt.Errorf("%s is no socket to listen on; write udp://HOST:PORT or tcp://HOST:PORT", l)
		}
	}
	if c.Out == "" {
		return c, errors.New("no folder to record into")
	}
	if c.PortMin == 0 && c.PortMax == 0 {
		c.PortMin, c.PortMax = 30000, 39999
	}
	if c.PortMin < 1 || c.PortMax > 65535 || c.PortMax-c.PortMin < 1 {
		return c, fmt.Errorf("media ports %d-%d are no range with a pair in it", c.PortMin, c.PortMax)
	}
	orDefault(&c.MaxSessions, 5000)
	orDefault(&c.History, 4096)
	orDefault(&c.IdleTimeout, 2*time.Minute)
	orDefault(&c.PauseTimeout, time.Hour)
	orDefault(&c.Linger, 200*time.Millisecond)
	orDefault(&c.ProbeInterval, 2*time.Second)
	orDefault(&c.RTCPInterval, 5*time.Second)
	orDefault(&c.MinSE, 90*time.Second)
	if c.UserAgent == "" {
		c.UserAgent = "sidetrack recorder"
	}
	if c.Log == nil {
		c.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
	return c, nil
}

func orDefault[T int | time.Duration](v *T, value T) {
	if *v <= 0 {
		*v = value
	}
}

// advertised is the configured address, when it is one and of the family wanted.
func (c Config) advertised(like netip.Addr) (netip.Addr, bool) {
	a, err := netip.ParseAddr(c.Advertise)
	return a, err == nil && a.Is4() == like.Is4()
}
