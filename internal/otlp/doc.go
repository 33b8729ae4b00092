// Package otlp sends spans to an OpenTelemetry collector: OTLP 1 over HTTP with
// protobuf bodies.
//
// A [Span] is told when it is over, whole. Identifiers are made of names
// ([TraceID], [SpanID]), so that nobody has to remember the span above, and two
// proxies that a call passes have it in one trace. An [Exporter] takes spans
// without waiting; what its queue does not hold, or the collector does not take
// within some tries, is dropped and counted. [Exporter.Redirect] turns it to another
// collector, or to none.
//
// The SDK of OpenTelemetry measures code that runs; ours are told afterwards, so
// that of it only the wire format is needed.
package otlp
