package recorder

const (
	// maxSkew is how far the senders' clocks may differ, as seen from ours: more means
	// that they were never set alike, and their reports do not compare.
	maxSkew = 0.5
	// maxShift bounds what a report may do to a file. It is more than delay: a client
	// that was late to reach us sends what it kept, and each stream begins with
	// its own first word.
	maxShift = 60.0
	// minShift is not worth a move: less than the jitter of a quiet host.
	minShift = 0.001
)

// alignment is what the sender reports of one stream say about its clock. As the
// position of a timestamp does not depend on a report's arrival, the first report will do.
type alignment struct {
	known bool
	zero  float64 // the sender's time at position zero of the file, NTP seconds
	skew  float64 // the sender's time when our clock was zero, by the report's arrival
}

// learn takes a report that came at time at on the session's clock, and whose timestamp
// lies at position pos of the file; both in seconds.
func (a *alignment) learn(ntp uint64, pos, at float64) {
	if a.known {
		return
	}
	sent := float64(ntp>>32) + float64(uint32(ntp))/(1<<32)
	*a = alignment{known: true, zero: sent - pos, skew: sent - at}
}

// shifts returns by how many seconds each stream is to be moved so that
// all lie as their senders' clocks say. The stream that arrived with the least delay
// stays where it is; leads, the silence that opens each file, bounds how far
// the others can move to the front. Where that does not do, all
// are measured by the slowest instead. ok is false when the reports contradict each other.
func shifts(streams []alignment, leads []float64) (out []float64, ok bool) {
	out = make([]float64, len(streams))
	zeros := limits(streams, func(a alignment) float64 { return a.zero })
	skews := limits(streams, func(a alignment) float64 { return a.skew })
	if skews.high-skews.low > maxSkew || zeros.high-zeros.low > maxShift {
		return out, false
	}
	reference := zeros.high
	for i, a := range streams {
		if a.known && zeros.high-a.zero > leads[i] {
			reference = zeros.low
		}
	}
	for i, a := range streams {
		if d := a.zero - reference; a.known && (d >= minShift || d <= -minShift) {
			out[i] = d
		}
	}
	return out, true
}

type extent struct{ low, high float64 }

// limits is the extent of a value over the streams that have reports.
func limits(streams []alignment, value func(alignment) float64) (e extent) {
	first := true
	for _, a := range streams {
		if !a.known {
			continue
		}
		if v := value(a); first {
			e, first = extent{v, v}, false
		} else {
			e = extent{min(e.low, v), max(e.high, v)}
		}
	}
	return e
}
