package otlp

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"
	"time"

	common "go.opentelemetry.io/proto/slim/otlp/common/v1"
	trace "go.opentelemetry.io/proto/slim/otlp/trace/v1"
)

// Span is something that took a time, and is over.
type Span struct {
	Trace      [16]byte
	ID, Parent [8]byte // Parent zero: none
	Name       string
	Client     bool // it was a request of ours
	Start, End time.Time
	Attrs      []Attr
	Events     []Event
	Failed     string // why; "": it did not fail
}

// Event is a moment within a span.
type Event struct {
	At   time.Time
	Name string
}

// Attr is a name with a string, int, bool or float64.
type Attr struct {
	Key   string
	Value any
}

// TraceID is that of a call, made of its Call-ID.
func TraceID(callID string) (id [16]byte) {
	sum := sha256.Sum256([]byte("trace\x00" + callID))
	copy(id[:], sum[:])
	return id
}

// SpanID is made of the kind and name of what it is about.
func SpanID(kind, name string) (id [8]byte) {
	sum := sha256.Sum256([]byte(kind + "\x00" + name))
	copy(id[:], sum[:])
	return id
}

// Sampled tells whether a trace is among so many of a hundred. All who go by the
// same share choose the same.
func Sampled(id [16]byte, percent int) bool {
	return binary.BigEndian.Uint64(id[8:])%100 < uint64(max(percent, 0))
}

// message is the span as it is sent.
func (s *Span) message() *trace.Span {
	m := &trace.Span{
		TraceId: slices.Clone(s.Trace[:]), SpanId: slices.Clone(s.ID[:]), Name: text(s.Name), Kind: trace.Span_SPAN_KIND_SERVER,
		StartTimeUnixNano: nanos(s.Start), EndTimeUnixNano: nanos(s.End), Attributes: attributes(s.Attrs),
	}
	if s.Parent != [8]byte{} {
		m.ParentSpanId, m.Kind = slices.Clone(s.Parent[:]), trace.Span_SPAN_KIND_INTERNAL
	}
	if s.Client {
		m.Kind = trace.Span_SPAN_KIND_CLIENT
	}
	for _, e := range s.Events {
		m.Events = append(m.Events, &trace.Span_Event{TimeUnixNano: nanos(e.At), Name: text(e.Name)})
	}
	if s.Failed != "" {
		m.Status = &trace.Status{Code: trace.Status_STATUS_CODE_ERROR, Message: text(s.Failed)}
	}
	return m
}

// text makes a string fit for protobuf, which takes no other than UTF-8: one byte of a
// stranger's URI would cost all spans of a request.
func text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

func nanos(t time.Time) uint64 { return uint64(max(t.UnixNano(), 0)) }

func attributes(in []Attr) []*common.KeyValue {
	out := make([]*common.KeyValue, 0, len(in))
	for _, a := range in {
		v := &common.AnyValue{}
		switch value := a.Value.(type) {
		case string:
			v.Value = &common.AnyValue_StringValue{StringValue: text(value)}
		case int:
			v.Value = &common.AnyValue_IntValue{IntValue: int64(value)}
		case bool:
			v.Value = &common.AnyValue_BoolValue{BoolValue: value}
		case float64:
			v.Value = &common.AnyValue_DoubleValue{DoubleValue: value}
		default:
			continue
		}
		out = append(out, &common.KeyValue{Key: a.Key, Value: v})
	}
	return out
}
