package scenario_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/slim/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/slim/otlp/common/v1"
	trace "go.opentelemetry.io/proto/slim/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"sidetrack/tests/peer"
)

// spans is a collector.
type spans struct {
	mu  sync.Mutex
	all []*trace.Span
	raw string // all requests, one after the other
}

func (s *spans) ServeHTTP(_ http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var req collector.ExportTraceServiceRequest
	if proto.Unmarshal(body, &req) != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.raw += string(body)
	for _, rs := range req.ResourceSpans {
		for _, ss := range rs.ScopeSpans {
			s.all = append(s.all, ss.Spans...)
		}
	}
}

// tree awaits n spans and writes each as its parent's name, its own and whether it failed.
func (s *spans) tree(t *testing.T, n int) map[string][]*trace.Span {
	t.Helper()
	out := map[string][]*trace.Span{}
	if !peer.Eventually(func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.all) >= n
	}) {
		t.Fatalf("%d of %d spans: %v", len(s.all), n, s.all)
	}
	names := map[string]string{}
	for _, sp := range s.all {
		names[string(sp.SpanId)] = sp.Name
	}
	for _, sp := range s.all {
		key := fmt.Sprintf("%s/%s %v", names[string(sp.ParentSpanId)], sp.Name, sp.Status.GetCode() == trace.Status_STATUS_CODE_ERROR)
		out[key] = append(out[key], sp)
	}
	return out
}

func text(s *trace.Span, key string) string {
	for _, a := range s.Attributes {
		if a.Key == key {
			if n, ok := a.Value.Value.(*common.AnyValue_IntValue); ok {
				return fmt.Sprint(n.IntValue)
			}
			return a.Value.GetStringValue()
		}
	}
	return ""
}

// A call is one trace: the call, below it its recording, below that each SRS asked. A refused call is one, too.
func TestSpansOfCalls(t *testing.T) {
	var got spans
	srv := httptest.NewServer(&got)
	defer srv.Close()
	st := newStage(t, setup{srs: 2, more: fmt.Sprintf("tracing: {otlp: %q}", srv.URL)})
	busy := st.invite(dialing{})
	busy.in.Reply(486)
	busy.out.ExpectFinal()
	busy.in.ExpectOther("ACK")
	c := st.establish(dialing{})
	st.srss[0].Expect("INVITE").Reply(503)
	st.srss[0].Expect("ACK")
	rs := st.srss[1].Accept()
	c.recorded(rs, 5)
	c.hangUp()
	rs.End()
	st.sys.Empty()
	st.sys.Stop() // what waits is sent

	tree := got.tree(t, 5)
	for _, key := range []string{"/call true", "/call false", "call/recording main false", "recording main/INVITE main true", "recording main/INVITE main false"} {
		if len(tree[key]) != 1 {
			t.Fatalf("%d spans %q in %v", len(tree[key]), key, got.all)
		}
	}
	call, refused := tree["/call false"][0], tree["/call true"][0]
	for i, status := range []string{"503", "200"} {
		attempt := tree[fmt.Sprintf("recording main/INVITE main %v", status != "200")][0]
		if text(attempt, "sip.status") != status || text(attempt, "sidetrack.srs") != st.srss[i].URI("") || text(attempt, "sip.call_id") == "" || attempt.Kind != trace.Span_SPAN_KIND_CLIENT {
			t.Errorf("SRS %d was asked: %v", i+1, attempt)
		}
	}
	if id := text(tree["recording main/INVITE main false"][0], "sip.call_id"); id != rs.Invite.CallID() || id != text(tree["call/recording main false"][0], "sip.call_id") {
		t.Errorf("the session's Call-ID is %s, %v", id, got.all)
	}
	if text(refused, "sip.status") != "486" || refused.Status.Message != "486 Busy Here" || string(refused.TraceId) == string(call.TraceId) {
		t.Errorf("the refused call: %v", refused)
	}
	if len(call.Events) != 1 || call.Events[0].Name != "answered" || call.Events[0].TimeUnixNano < call.StartTimeUnixNano || call.EndTimeUnixNano < call.Events[0].TimeUnixNano {
		t.Errorf("the call: %v", call)
	}
	for key, all := range tree {
		for _, sp := range all {
			if sp != refused && string(sp.TraceId) != string(call.TraceId) {
				t.Errorf("%s is in another trace", key)
			}
		}
	}
	if n := got.all; len(n) != 5 {
		t.Errorf("%d spans", len(n))
	}
}
