package otlp_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	collector "go.opentelemetry.io/proto/slim/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"sidetrack/internal/otlp"
)

const patience = time.Minute

// receiver is a collector: what it is sent goes into requests, and answer says what it says.
func receiver(t *testing.T, answer func(w http.ResponseWriter, n int)) (url string, requests chan *collector.ExportTraceServiceRequest) {
	t.Helper()
	requests = make(chan *collector.ExportTraceServiceRequest, 100)
	n := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var req collector.ExportTraceServiceRequest
		if err == nil {
			err = proto.Unmarshal(body, &req)
		}
		if err != nil || r.Method != "POST" || r.URL.Path != "/v1/traces" || r.Header.Get("Content-Type") != "application/x-protobuf" || r.Header.Get("X-Key") != "k" {
			t.Errorf("%s %s %v: %v", r.Method, r.URL, r.Header, err)
		}
		n++
		answer(w, n)
		requests <- &req
	}))
	t.Cleanup(srv.Close)
	return srv.URL + "/v1/traces", requests
}

func open(url string, reg prometheus.Registerer) *otlp.Exporter {
	return otlp.Open(otlp.Config{
		Version: "1.2.3", Every: time.Millisecond, Retry: time.Millisecond, Log: slog.New(slog.DiscardHandler), Registerer: reg,
	}, edge(url))
}

func edge(url string) *otlp.Collector {
	return &otlp.Collector{URL: url, Headers: map[string]string{"X-Key": "k"}, Resource: []otlp.Attr{{Key: "service.name", Value: "edge"}}}
}

func closeNow(e *otlp.Exporter) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	e.Close(ctx)
}

func TestSpan(t *testing.T) {
	url, requests := receiver(t, func(http.ResponseWriter, int) {})
	reg := prometheus.NewRegistry()
	e := open(url, reg)
	at := time.Unix(1700000000, 5)
	e.Send(otlp.Span{
		Trace: otlp.TraceID("a@b"), ID: otlp.SpanID("call", "c"), Name: "call", Start: at, End: at.Add(time.Second),
		Attrs:  []otlp.Attr{{Key: "s", Value: "x"}, {Key: "i", Value: -3}, {Key: "b", Value: true}, {Key: "f", Value: 1.5}, {Key: "other", Value: at}},
		Events: []otlp.Event{{At: at, Name: "answered"}},
	})
	e.Send(otlp.Span{Trace: otlp.TraceID("a@b"), ID: otlp.SpanID("rec", "r"), Parent: otlp.SpanID("call", "c"), Name: "rec", Start: at, End: at, Client: true, Failed: "why"})
	closeNow(e)
	var got []string
	for range len(requests) {
		req := <-requests
		rs := req.ResourceSpans[0]
		if rs.Resource.Attributes[0].Value.GetStringValue() != "edge" || rs.ScopeSpans[0].Scope.Version != "1.2.3" {
			t.Errorf("%v", req)
		}
		for _, s := range rs.ScopeSpans[0].Spans {
			line := fmt.Sprintf("%x %x %x %s %d %d-%d %v %q", s.TraceId, s.SpanId, s.ParentSpanId, s.Name, s.Kind, s.StartTimeUnixNano, s.EndTimeUnixNano, s.Status.GetCode(), s.Status.GetMessage())
			for _, a := range s.Attributes {
				line += fmt.Sprintf(" %s=%q %d %v %v", a.Key, a.Value.GetStringValue(), a.Value.GetIntValue(), a.Value.GetBoolValue(), a.Value.GetDoubleValue())
			}
			for _, ev := range s.Events {
				line += fmt.Sprintf(" %s@%d", ev.Name, ev.TimeUnixNano)
			}
			got = append(got, line)
		}
	}
	trace := fmt.Sprintf("%x", otlp.TraceID("a@b"))
	want := []string{
		trace + fmt.Sprintf(" %x  call 2 1700000000000000005-1700000001000000005 STATUS_CODE_UNSET \"\" s=\"x\" 0 false 0 i=\"\" -3 false 0 b=\"\" 0 true 0 f=\"\" 0 false 1.5 answered@1700000000000000005", otlp.SpanID("call", "c")),
		trace + fmt.Sprintf(" %x %x rec 3 1700000000000000005-1700000000000000005 STATUS_CODE_ERROR \"why\"", otlp.SpanID("rec", "r"), otlp.SpanID("call", "c")),
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got\n%v\nwant\n%v", got, want)
	}
	if n := counted(t, reg, "sidetrack_spans_total"); n != 2 {
		t.Errorf("%v spans counted", n)
	}
}

func counted(t *testing.T, reg *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}

// A collector that is busy is asked again; one that refuses, some of a request or all of it, is believed.
func TestAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		answer        func(w http.ResponseWriter, n int)
		asked         int
		sent, dropped float64
	}{
		"busy": {func(w http.ResponseWriter, n int) {
			if n < 3 {
				w.WriteHeader(503)
			}
		}, 3, 1, 0},
		"never":   {func(w http.ResponseWriter, _ int) { w.WriteHeader(429) }, 5, 0, 1},
		"refuses": {func(w http.ResponseWriter, _ int) { w.WriteHeader(400) }, 1, 0, 1},
		"elsewhere": {func(w http.ResponseWriter, _ int) {
			w.Header().Set("Location", "/")
			w.WriteHeader(307)
		}, 1, 0, 1},
		"partly": {func(w http.ResponseWriter, _ int) {
			b, _ := proto.Marshal(&collector.ExportTraceServiceResponse{PartialSuccess: &collector.ExportTracePartialSuccess{RejectedSpans: 1}})
			w.Write(b)
		}, 1, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			url, requests := receiver(t, c.answer)
			reg := prometheus.NewRegistry()
			e := open(url, reg)
			e.Send(otlp.Span{Name: "x"})
			closeNow(e)
			if len(requests) != c.asked || counted(t, reg, "sidetrack_spans_total") != c.sent || counted(t, reg, "sidetrack_spans_dropped_total") != c.dropped {
				t.Errorf("%d requests", len(requests))
			}
		})
	}
}

// Bytes of a stranger that are no UTF-8 do not cost the spans of others.
func TestSpansOfStrangers(t *testing.T) {
	url, requests := receiver(t, func(http.ResponseWriter, int) {})
	reg := prometheus.NewRegistry()
	e := open(url, reg)
	e.Send(otlp.Span{Name: "call"})
	e.Send(otlp.Span{Name: "\xff", Failed: "\xff", Attrs: []otlp.Attr{{Key: "sip.from", Value: "sip:a\xffb@x"}}, Events: []otlp.Event{{Name: "\xff"}}})
	closeNow(e)
	if sent, lost := counted(t, reg, "sidetrack_spans_total"), counted(t, reg, "sidetrack_spans_dropped_total"); sent != 2 || lost != 0 {
		t.Fatalf("%v sent, %v dropped", sent, lost)
	}
	var all []string
	for range len(requests) {
		for _, s := range (<-requests).ResourceSpans[0].ScopeSpans[0].Spans {
			for _, a := range s.Attributes {
				all = append(all, a.Value.GetStringValue())
			}
		}
	}
	if fmt.Sprint(all) != "[sip:a\uFFFDb@x]" {
		t.Errorf("%q", all)
	}
}

// Nor does the log tell the key that is in the collector's URL.
func TestKeysAreNotLogged(t *testing.T) {
	var log bytes.Buffer
	e := otlp.Open(otlp.Config{Every: time.Millisecond, Retry: time.Millisecond, Log: slog.New(slog.NewTextHandler(&log, nil))},
		&otlp.Collector{URL: "http://127.0.0.1:1/v1/traces?key=hush"})
	e.Send(otlp.Span{Name: "x"})
	closeNow(e)
	if !bytes.Contains(log.Bytes(), []byte("spans are lost")) || bytes.Contains(log.Bytes(), []byte("hush")) {
		t.Error(log.String())
	}
}

// A collector that hangs costs spans, not time.
func TestHangingCollector(t *testing.T) {
	stop := make(chan struct{})
	url, _ := receiver(t, func(http.ResponseWriter, int) { <-stop })
	reg := prometheus.NewRegistry()
	e := open(url, reg)
	for range 20_000 {
		e.Send(otlp.Span{Name: "x"})
	}
	if n := counted(t, reg, "sidetrack_spans_dropped_total"); n == 0 {
		t.Error("nothing is dropped")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	e.Close(ctx)
	close(stop)
	e.Send(otlp.Span{Name: "late"}) // counted, no panic
	if sent, lost := counted(t, reg, "sidetrack_spans_total"), counted(t, reg, "sidetrack_spans_dropped_total"); sent != 0 || lost != 20_001 {
		t.Errorf("%v sent, %v dropped", sent, lost)
	}
}

// Spans go to another collector from the moment on in which it is named, those too that the one before has not taken,
// and to none when there is none.
func TestRedirect(t *testing.T) {
	busy, refused := receiver(t, func(w http.ResponseWriter, _ int) { w.WriteHeader(503) })
	free, taken := receiver(t, func(http.ResponseWriter, int) {})
	reg := prometheus.NewRegistry()
	e := open(busy, reg)
	e.Redirect(nil)
	e.Send(otlp.Span{Name: "for nobody"})
	e.Redirect(edge(busy))
	e.Send(otlp.Span{Name: "x"})
	<-refused
	e.Redirect(edge(free))
	if got := (<-taken).ResourceSpans[0].ScopeSpans[0].Spans; len(got) != 1 || got[0].Name != "x" {
		t.Errorf("%v", got)
	}
	closeNow(e)
	if sent, lost := counted(t, reg, "sidetrack_spans_total"), counted(t, reg, "sidetrack_spans_dropped_total"); sent != 1 || lost != 0 {
		t.Errorf("%v sent, %v dropped", sent, lost)
	}
}

func TestSample(t *testing.T) {
	n := 0
	for i := range 10_000 {
		id := otlp.TraceID(fmt.Sprint(i))
		if otlp.Sampled(id, 25) {
			n++
		}
		if otlp.Sampled(id, 0) || !otlp.Sampled(id, 100) {
			t.Fatal("0 and 100 of 100")
		}
	}
	if n < 2200 || n > 2800 {
		t.Errorf("%d of 10000", n)
	}
}
