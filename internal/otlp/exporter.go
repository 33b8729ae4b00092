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
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	collector "go.opentelemetry.io/proto/slim/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/slim/otlp/common/v1"
	resource "go.opentelemetry.io/proto/slim/otlp/resource/v1"
	trace "go.opentelemetry.io/proto/slim/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"sidetrack/internal/outbox"
)

// Config is what an Exporter has for life.
type Config struct {
	Version string        // of us
	Every   time.Duration // how long spans are collected; 0: 5 s
	Retry   time.Duration // first wait before another try; 0: 1 s

	Log        *slog.Logger
	Registerer prometheus.Registerer
}

// Collector says where to and as whom.
type Collector struct {
	URL      string // of the receiver, its path included
	TLS      *tls.Config
	Headers  map[string]string
	Resource []Attr // service.name and the like
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
	on      atomic.Bool                 // spans are taken
	to      atomic.Pointer[destination] // where those go that were taken
	sent    prometheus.Counter
	dropped *prometheus.CounterVec
	box     *outbox.Box[*trace.Span]

	ctx     context.Context // of run
	failing bool            // told; of run
}

// destination is a collector and the connections to it.
type destination struct {
	Collector
	client *http.Client
}

// Why a span was not sent.
const (
	droppedQueue     = "queue"     // too many wait
	droppedCollector = "collector" // it cannot be reached, or refuses
)

// Open begins to send; to nil: nothing is exported until Redirect names a collector.
func Open(cfg Config, to *Collector) *Exporter {
	if cfg.Every == 0 {
		cfg.Every = 5 * time.Second
	}
	if cfg.Retry == 0 {
		cfg.Retry = time.Second
	}
	e := &Exporter{
		cfg: cfg,
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
	e.Redirect(to)
	e.box = outbox.Open(maxQueue, e.run)
	return e
}

// Redirect has spans go to another collector from now on. What waits goes there
// too; a batch that is being tried, with its next try. With nil no more spans are
// taken, and what waits goes where it was to go.
func (e *Exporter) Redirect(to *Collector) {
	if to == nil {
		e.on.Store(false)
		return
	}
	before := e.to.Swap(&destination{*to, &http.Client{
		Timeout: requestTime, Transport: &http.Transport{TLSClientConfig: to.TLS, Proxy: http.ProxyFromEnvironment, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}})
	e.on.Store(true)
	if before != nil {
		before.client.CloseIdleConnections()
	}
}

// Send takes a span. It does not wait.
func (e *Exporter) Send(s Span) {
	if e.on.Load() && !e.box.Put(s.message()) {
		e.dropped.WithLabelValues(droppedQueue).Inc()
	}
}

// Close sends what waits until ctx ends, and no more.
func (e *Exporter) Close(ctx context.Context) {
	e.box.Close(ctx)
	if to := e.to.Load(); to != nil {
		to.client.CloseIdleConnections()
	}
}

// run sends batches until spans is closed and empty.
func (e *Exporter) run(ctx context.Context, spans <-chan *trace.Span) {
	e.ctx = ctx
	tick := time.NewTicker(e.cfg.Every)
	defer tick.Stop()
	var batch []*trace.Span
	for open := true; open; {
		due := false
		select {
		case s, more := <-spans:
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
	var err error
	wait := e.cfg.Retry
	for try := 1; err == nil; try++ {
		var after time.Duration
		if after, err = e.post(batch); err == nil {
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

func (e *Exporter) request(from []Attr, batch []*trace.Span) *collector.ExportTraceServiceRequest {
	return &collector.ExportTraceServiceRequest{ResourceSpans: []*trace.ResourceSpans{{
		Resource:   &resource.Resource{Attributes: attributes(from)},
		ScopeSpans: []*trace.ScopeSpans{{Scope: &common.InstrumentationScope{Name: "sidetrack", Version: e.cfg.Version}, Spans: batch}},
	}}}
}

// errAgain marks a failure that may pass (OTLP/HTTP, "Failures").
var errAgain = errors.New("the collector cannot take spans now")

// post sends a request; after is how long the collector wants to be left alone.
func (e *Exporter) post(batch []*trace.Span) (after time.Duration, err error) {
	to := e.to.Load()
	body, err := proto.Marshal(e.request(to.Resource, batch))
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(e.ctx, http.MethodPost, to.URL, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	for name, value := range to.Headers {
		req.Header.Set(name, value)
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	req.Header.Set("User-Agent", strings.TrimSuffix("sidetrack/"+e.cfg.Version, "/"))
	resp, err := to.client.Do(req)
	if err != nil {
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err // without the URL, which may hold a key
		}
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
