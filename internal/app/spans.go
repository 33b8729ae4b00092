package app

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"sidetrack/b2bua"
	"sidetrack/internal/config"
	"sidetrack/internal/otlp"
	"sidetrack/internal/redact"
	"sidetrack/src"
)

// spansTime is how long the last spans may take to leave.
const spansTime = time.Second

// openSpans begins to trace calls where the configuration wants it.
func (a *App) openSpans() error {
	to, err := collector(a.cfg.Tracing, a.opt.Version)
	if err != nil {
		return err
	}
	a.spans = otlp.Open(otlp.Config{Version: a.opt.Version, Log: a.log, Registerer: a.registry}, to)
	return nil
}

// collector is where a configuration wants spans to go; nil: nowhere.
func collector(t config.Tracing, version string) (*otlp.Collector, error) {
	if t.URL == "" {
		return nil, nil
	}
	to := &otlp.Collector{
		URL: t.URL, Headers: t.Headers,
		Resource: []otlp.Attr{{Key: "service.name", Value: t.Service}, {Key: "service.version", Value: version}},
	}
	if host, err := os.Hostname(); err == nil {
		to.Resource = append(to.Resource, otlp.Attr{Key: "host.name", Value: host})
	}
	if t.CA != "" {
		var err error
		if to.TLS, err = loadTLS("tracing", &config.TLS{CA: t.CA}); err != nil {
			return nil, err
		}
	}
	return to, nil
}

// closeSpans is called when nothing ends any more.
func (a *App) closeSpans() {
	if a.spans == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), spansTime)
	defer cancel()
	a.spans.Close(ctx)
}

// sampled is the trace of a call, and whether it is to have one.
func (a *App) sampled(callID string) (id [16]byte, ok bool) {
	t := &a.inForce.Load().cfg.Tracing
	if a.spans == nil || t.URL == "" {
		return id, false
	}
	id = otlp.TraceID(callID)
	return id, otlp.Sampled(id, t.Sample)
}

// ids are the attributes that spans are found by: they stay as they are.
var ids = []string{"sip.call_id", "sidetrack.call", "sidetrack.recording"}

// span sends a span. It tells no number where the log would tell none.
func (a *App) span(s otlp.Span) {
	if a.redacted.Load() {
		s.Name, s.Failed = redact.Text(s.Name), redact.Text(s.Failed)
		for i, attr := range s.Attrs {
			if text, ok := attr.Value.(string); ok && !slices.Contains(ids, attr.Key) {
				s.Attrs[i].Value = redact.Text(text)
			}
		}
	}
	a.spans.Send(s)
}

// callSpan tells of a call that has ended.
func (a *App) callSpan(e b2bua.Event) {
	trace, ok := a.sampled(e.Call.SIPCallID)
	if !ok {
		return
	}
	s := otlp.Span{
		Trace: trace, ID: otlp.SpanID("call", e.Call.ID), Name: "call", Start: e.Call.Since, End: e.Time,
		Attrs: []otlp.Attr{
			{Key: "sidetrack.call", Value: e.Call.ID}, {Key: "sip.call_id", Value: e.Call.SIPCallID},
			{Key: "sip.from", Value: e.Call.From}, {Key: "sip.to", Value: e.Call.To}, {Key: "sidetrack.route", Value: e.Call.Route},
			{Key: "sidetrack.reason", Value: e.Reason}, {Key: "sidetrack.answered", Value: !e.Call.Answered.IsZero()},
		},
	}
	if !e.Call.Answered.IsZero() {
		s.Events = append(s.Events, otlp.Event{At: e.Call.Answered, Name: "answered"})
	}
	if e.Type == b2bua.EventFailed && e.Status > 0 {
		s.Attrs = append(s.Attrs, otlp.Attr{Key: "sip.status", Value: e.Status})
		s.Failed = cmp.Or(e.Reason, strconv.Itoa(e.Status))
	}
	a.span(s)
}

// failures are the results of a recording that somebody has to look at.
var failures = map[src.Result]bool{src.Failed: true, src.Partial: true, src.Missed: true, src.Refused: true}

// recordingSpans tells of a recording that has ended, and of each SRS asked.
func (a *App) recordingSpans(v src.Verdict) {
	r := v.View
	trace, ok := a.sampled(r.Call.SIPCallID)
	if !ok {
		return
	}
	s := otlp.Span{
		Trace: trace, ID: otlp.SpanID("recording", r.ID), Parent: otlp.SpanID("call", r.CallID), Name: "recording " + r.Name,
		Start: r.Started, End: r.Ended,
		Attrs: []otlp.Attr{
			{Key: "sidetrack.recording", Value: r.ID}, {Key: "sidetrack.recorder", Value: r.Recorder}, {Key: "sidetrack.rule", Value: r.Rule},
			{Key: "sidetrack.srs", Value: r.SRS}, {Key: "sidetrack.result", Value: string(r.Result)}, {Key: "sidetrack.reason", Value: r.Reason},
			{Key: "sidetrack.moves", Value: v.Moves}, {Key: "sidetrack.recorded_seconds", Value: v.Recorded.Seconds()}, {Key: "sip.call_id", Value: r.SIPCallID},
		},
	}
	if !v.Taken.IsZero() {
		s.Events = append(s.Events, otlp.Event{At: v.Taken, Name: "taken by an SRS"})
	}
	if failures[r.Result] {
		s.Failed = string(r.Result) + ": " + r.Reason
	}
	a.span(s)
	for i, t := range r.Attempts {
		child := otlp.Span{
			Trace: trace, ID: otlp.SpanID("attempt", r.ID+" "+strconv.Itoa(i)), Parent: s.ID, Name: "INVITE " + r.Recorder, Client: true,
			Start: t.At, End: t.At.Add(time.Duration(t.Took)),
			Attrs: []otlp.Attr{{Key: "sidetrack.srs", Value: t.SRS}, {Key: "sip.status", Value: t.Code}, {Key: "sip.call_id", Value: t.SIPCallID}},
		}
		if t.Code >= 300 {
			child.Failed = fmt.Sprintf("%d %s", t.Code, t.Reason)
		}
		a.span(child)
	}
}
