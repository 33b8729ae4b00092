package txn

import (
	"strconv"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"sidetrack/internal/sip"
)

// Values of the label reason of sidetrack_sip_rejected_total; the transport
// layer adds its own.
const (
	rejectOverload   = "overload"    // mailbox over its limit
	rejectMerged     = "merged"      // 482: a second copy, or one of ours
	rejectStray      = "stray"       // response without transaction
	rejectPanic      = "panic"       // fault in a handler
	rejectScanner    = "scanner"     // a tool that looks for open PBXs; not answered
	rejectSourceRate = "source-rate" // above Rates.PerSource
	rejectTotalRate  = "total-rate"  // above Rates.Total
	rejectUnanswered = "unanswered"  // a request that its handler never answered
)

var methods = [...]string{"other", "INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "INFO", "PRACK", "UPDATE", "REFER",
	"NOTIFY", "SUBSCRIBE", "MESSAGE", "REGISTER", "PUBLISH"}

// slot is a counter of messages: method and status, 0 for requests.
type slot struct {
	method uint8
	code   uint16
}

const (
	in = iota
	out
	directions
)

// metrics counts messages. Children are resolved once each and found by index
// from then on. Labels are bounded: unknown methods are "other", unregistered
// codes their class ("4xx").
type metrics struct {
	messages *prometheus.CounterVec
	rejected *prometheus.CounterVec
	counters [directions][len(methods)][codeClasses]atomic.Pointer[class]
}

const codeClasses = 7 // and requests as the first

// class are the counters of the codes of one hundred, made when there is the first.
type class [100]atomic.Pointer[prometheus.Counter]

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sidetrack_sip_messages_total",
			Help: "SIP messages by direction, method and, for responses, status code. Retransmissions count.",
		}, []string{"direction", "method", "code"}),
		rejected: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sidetrack_sip_rejected_total",
			Help: "SIP messages and connections refused or dropped, by reason.",
		}, []string{"reason"}),
	}
	for _, reason := range []string{rejectOverload, rejectPanic, "send-buffer", "capacity"} {
		m.rejected.WithLabelValues(reason) // those that alarm, so that a first one is seen as one
	}
	if r != nil {
		r.MustRegister(m.messages, m.rejected)
	}
	return m
}

// watch shows how many transactions a layer keeps.
func (m *metrics) watch(r prometheus.Registerer, l *Layer) {
	if r != nil {
		r.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "sidetrack_sip_transactions",
			Help: "SIP transactions kept, those of ended calls that wait for repetitions included.",
		}, func() float64 { return float64(l.Transactions()) }))
	}
}

func (m *metrics) requestSlot(method string) slot { return slot{method: methodIndex(method)} }

func (m *metrics) responseSlot(method string, status int) slot {
	return slot{methodIndex(method), uint16(min(max(status, 100), 699))}
}

func methodIndex(method string) uint8 {
	for i, name := range methods {
		if name == method {
			return uint8(i)
		}
	}
	return 0
}

func (m *metrics) received(msg *sip.Message) {
	if msg.IsRequest() {
		m.count(in, m.requestSlot(msg.Method))
		return
	}
	m.count(in, m.responseSlot(msg.CSeq().Method, msg.Status))
}

func (m *metrics) sent(s slot) { m.count(out, s) }

func (m *metrics) stateless(method string, status int) { m.count(out, m.responseSlot(method, status)) }

func (m *metrics) reject(reason string) { m.rejected.WithLabelValues(reason).Inc() }

func (m *metrics) count(direction int, s slot) {
	row := &m.counters[direction][s.method][s.code/100]
	if row.Load() == nil {
		row.CompareAndSwap(nil, new(class))
	}
	p := &row.Load()[s.code%100]
	c := p.Load()
	if c == nil {
		child := m.messages.WithLabelValues([directions]string{"in", "out"}[direction], methods[s.method], codeLabel(s.code))
		c = &child
		p.Store(c)
	}
	(*c).Inc()
}

func codeLabel(code uint16) string {
	class := int(code) / 100
	switch {
	case code == 0:
		return ""
	case code%100 != 0 && sip.ReasonPhrase(int(code)) == sip.ReasonPhrase(class*100):
		return strconv.Itoa(class) + "xx"
	}
	return strconv.Itoa(int(code))
}
