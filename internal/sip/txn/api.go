package txn

import (
	"errors"
	"log/slog"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/resolve"
	"sidetrack/internal/sip/transport"
)

// Config is what a Layer needs; only Transport is required.
type Config struct {
	Log            *slog.Logger
	Lanes          int
	T1, T2, T4     time.Duration
	TimerB, TimerC time.Duration
	Transport      Transport
	Resolver       *resolve.Resolver
	MailboxLimit   int
	Registerer     prometheus.Registerer
	UserAgent      string
}

// Transport is what the layer needs of *transport.Layer.
type Transport interface {
	Send(f transport.Flow, b []byte) error
	Find(f transport.Flow, serverName string) (transport.Flow, bool)
	Dial(f transport.Flow, serverName string, timeout time.Duration, done func(transport.Flow, error))
	Pick(proto string, remote netip.Addr) *transport.Listener
	Watch(transport.Events)
}

type Layer struct{}

func New(cfg Config) *Layer                   { return &Layer{} }
func (l *Layer) Start(h Handler)              {}
func (l *Layer) Receive(in transport.Inbound) {}
func (l *Layer) LaneFor(callID string) *Lane  { return nil }
func (l *Layer) Lanes() []*Lane               { return nil }
func (l *Layer) Close()                       {}

// Leaving returns the listener a request to that target leaves from; nil when there is none.
func (l *Layer) Leaving(to Target) *transport.Listener { return nil }

type DialogHandler interface {
	OnRequest(tx *ServerTx)
	OnAck(lane *Lane, ack *sip.Message, flow transport.Flow)
	OnCancel(tx *ServerTx, cancel *sip.Message)
}
type Handler interface{ DialogHandler }

type Lane struct{}
type Timer struct{}

func (l *Lane) Post(f func())                                                  {}
func (l *Lane) After(d time.Duration, f func()) *Timer                         { return nil }
func (t *Timer) Stop()                                                         {}
func (l *Lane) Now() time.Time                                                 { return time.Now() }
func (l *Lane) Index() int                                                     { return 0 }
func (l *Lane) NewCallID(host string) string                                   { return "" }
func (l *Lane) Bind(callID, localTag string, h DialogHandler)                  {}
func (l *Lane) Unbind(callID, localTag string)                                 {}
func (l *Lane) Resolve(uri string, done func([]Target, error))                 {}
func (l *Lane) Request(req *sip.Message, to Target, h ClientHandler) *ClientTx { return nil }
func (l *Lane) SendAck(ack *sip.Message, to Target) *Sent                      { return nil }

type Target struct {
	Proto       string
	Addr        netip.AddrPort
	Host        string
	Listener    *transport.Listener
	Conn        uint64
	ExplicitUDP bool
}

func FlowTarget(f transport.Flow) Target { return Target{} }

type ClientHandler interface {
	OnResponse(tx *ClientTx, resp *sip.Message, flow transport.Flow)
	OnFail(tx *ClientTx, err error)
}
type ClientTx struct{}

func (tx *ClientTx) Request() *sip.Message        { return nil }
func (tx *ClientTx) Target() Target               { return Target{} }
func (tx *ClientTx) Cancel(headers ...sip.Header) {}
func (tx *ClientTx) Forget()                      {}
func (tx *ClientTx) Terminated() bool             { return false }

type ServerTx struct {
	Request *sip.Message
	Flow    transport.Flow
	Lane    *Lane
	Data    any
}

func (tx *ServerTx) Respond(resp *sip.Message)                              {}
func (tx *ServerTx) Reply(status int, reason string, headers ...sip.Header) {}
func (tx *ServerTx) Acked()                                                 {}
func (tx *ServerTx) OnNoAck(f func())                                       {}
func (tx *ServerTx) LocalTag() string                                       { return "" }
func (tx *ServerTx) Final() int                                             { return 0 }

type Sent struct{}

func (s *Sent) Resend() {}

var (
	ErrTimeout   = errors.New("no answer in time")
	ErrTransport = errors.New("transport failed")
	ErrTimerC    = errors.New("no final answer in time")
	ErrCanceled  = errors.New("canceled before it was sent")
)
