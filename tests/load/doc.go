// Package load measures what a recorded call costs: BenchmarkRecordedCall in one process, the scripts beside it with a
// generator against the built binary.
package load
