package otlp

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	collector "go.opentelemetry.io/proto/slim/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/slim/otlp/common/v1"
	resource "go.opentelemetry.io/proto/slim/otlp/resource/v1"
	trace "go.opentelemetry.io/proto/slim/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Config says where to and as whom.
type Config struct {
	URL      string // of the receiver, its path included
	TLS      *tls.Config
	Headers  map[string]string
	Resource []Attr        // service.name and the like
	Version  string        // of us
	Every    time.Duration // how long spans are collected; 0: 5 s
	Retry    time.Duration // first wait before another try; 0: 1 s

	Log        *slog.Logger
	Registerer prometheus.Registerer
}

const (
	maxQueue    = 8192
	batchSize   = 512
	requestTime = 10 * time.Second
	tries       = 5
	maxWait     = 30 * time.Second
)

// Exporter sends spans. Send may be called from any goroutine.
type Exporter struct {
	cfg     Config
	client  *http.Client
	sent    prometheus.Counter
	dropped *prometheus.CounterVec
	queue   chan *trace.Span
	ctx     context.Context
	cut     context.CancelFunc
	running sync.WaitGroup
	failing bool // told; of run

	mu     sync.RWMutex // queue is closed under it
	closed bool
}

// Why a span was not sent.
const (
	droppedQueue     = "queue"     // too many wait
	droppedCollector = "collector" // it cannot be reached, or refuses
)

// Open begins to send.
func Open(cfg Config) *Exporter {
	if cfg.Every == 0 {
		cfg.Every = 5 * time.Second
	}
	if cfg.Retry == 0 {
		cfg.Retry = time.Second
	}
	e := &Exporter{
		cfg: cfg, queue: make(chan *trace.Span, maxQueue),
		client: &http.Client{
			Timeout: requestTime, Transport: &http.Transport{TLSClientConfig: cfg.TLS, Proxy: http.ProxyFromEnvironment, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		sent: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "sidetrack_spans_total", Help: "Spans that the OpenTelemetry collector has taken.",
		}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "sidetrack_spans_dropped_total", Help: "Spans that did not reach the OpenTelemetry collector.",
		}, []string{"reason"}),
	}
	e.dropped.WithLabelValues(droppedQueue)
	e.dropped.WithLabelValues(droppedCollector)
	if cfg.Registerer != nil {
		cfg.Registerer.MustRegister(e.sent, e.dropped)
	}
	e.ctx, e.cut = context.WithCancel(context.Background())
	e.running.Go(e.run)
	return e
}

// Send takes a span. It does not wait.
func (e *Exporter) Send(s Span) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if !e.closed {
		select {
		case e.queue <- s.message():
			return
		default:
		}
	}
	e.dropped.WithLabelValues(droppedQueue).Inc()
}

// Close sends what waits until ctx ends, and no more.
func (e *Exporter) Close(ctx context.Context) {
	e.mu.Lock()
	if !e.closed {
		e.closed = true
		close(e.queue)
	}
	e.mu.Unlock()
	stop := context.AfterFunc(ctx, e.cut)
	e.running.Wait()
	stop()
	e.cut()
	e.client.CloseIdleConnections()
}

// run sends batches until the queue is closed and empty.
func (e *Exporter) run() {
	tick := time.NewTicker(e.cfg.Every)
	defer tick.Stop()
	var batch []*trace.Span
	for open := true; open; {
		due := false
		select {
		case s, more := <-e.queue:
			if open = more; more {
				batch = append(batch, s)
			}
		case <-tick.C:
			due = true
		}
		if len(batch) > 0 && (due || !open || len(batch) >= batchSize) {
			e.deliver(batch)
			batch = batch[:0]
		}
	}
}

// deliver sends a batch, more than once where that may help.
func (e *Exporter) deliver(batch []*trace.Span) {
	body, err := proto.Marshal(e.request(batch))
	wait := e.cfg.Retry
	for try := 1; err == nil; try++ {
		var after time.Duration
		if after, err = e.post(body); err == nil {
			e.sent.Add(float64(len(batch)))
			if e.failing {
				e.failing = false
				e.cfg.Log.Info("spans are taken again")
			}
			return
		}
		if try == tries || !errors.Is(err, errAgain) || !e.sleep(max(wait, after)) {
			break
		}
		wait, err = min(2*wait, maxWait), nil
	}
	e.dropped.WithLabelValues(droppedCollector).Add(float64(len(batch)))
	if !e.failing {
		e.failing = true
		e.cfg.Log.Warn("spans are lost", "error", err)
	}
}

func (e *Exporter) sleep(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-e.ctx.Done():
		return false
	}
}

func (e *Exporter) request(batch []*trace.Span) *collector.ExportTraceServiceRequest {
	return &collector.ExportTraceServiceRequest{ResourceSpans: []*trace.ResourceSpans{{
		Resource:   &resource.Resource{Attributes: attributes(e.cfg.Resource)},
		ScopeSpans: []*trace.ScopeSpans{{Scope: &common.InstrumentationScope{Name: "sidetrack", Version: e.cfg.Version}, Spans: batch}},
	}}}
}

// errAgain marks a failure that may pass (OTLP/HTTP, "Failures").
var errAgain = errors.New("the collector cannot take spans now")

// post sends a request; after is how long the collector wants to be left alone.
func (e *Exporter) post(body []byte) (after time.Duration, err error) {
	req, err := http.NewRequestWithContext(e.ctx, http.MethodPost, e.cfg.URL, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	for name, value := range e.cfg.Headers {
		req.Header.Set(name, value)
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	req.Header.Set("User-Agent", strings.TrimSuffix("sidetrack/"+e.cfg.Version, "/"))
	resp, err := e.client.Do(req)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errAgain, err)
	}
	defer resp.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	switch resp.StatusCode {
	case http.StatusOK, http.StatusAccepted, http.StatusNoContent:
		e.partly(said)
		return 0, nil
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		if s, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil && s > 0 {
			after = min(time.Duration(min(s, 3600))*time.Second, maxWait)
		}
		return after, fmt.Errorf("%w: HTTP status %d", errAgain, resp.StatusCode)
	}
	return 0, fmt.Errorf("HTTP status %d", resp.StatusCode)
}

// partly counts the spans that a collector has refused of a request it has taken.
func (e *Exporter) partly(said []byte) {
	var answer collector.ExportTraceServiceResponse
	if proto.Unmarshal(said, &answer) != nil {
		return
	}
	if n := answer.GetPartialSuccess().GetRejectedSpans(); n > 0 {
		e.dropped.WithLabelValues(droppedCollector).Add(float64(n))
		e.cfg.Log.Warn("the collector has refused spans", "spans", n, "reason", answer.GetPartialSuccess().GetErrorMessage())
	}
}
