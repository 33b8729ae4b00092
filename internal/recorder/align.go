package recorder

// maxShift is the largest difference between arrival and sender reports that is
// taken for delay on the way; more means that the reports come from clocks that were
// never set alike.
const maxShift = 0.5

// minShift is not worth a move: less than the jitter of a quiet host.
const minShift = 0.001

// alignment is what the sender reports of one stream say about its clock: the
// sender's time (NTP, seconds) at position zero of the file. Of all reports the one
// that arrived with the least delay is right for all; as the position of a timestamp does
// not depend on the report's arrival, the first will do.
type alignment struct {
	zero  float64
	known bool
}

func (a *alignment) learn(ntp uint64, pos float64) {
	if !a.known {
		a.zero, a.known = float64(ntp>>32)+float64(uint32(ntp))/(1<<32)-pos, true
	}
}

// shifts returns by how many seconds each stream is to be moved so that
// all lie as their senders' clocks say. The stream that arrived with the least delay
// stays where it is; leads, the silence that opens each file, bounds how far
// the others can move to the front. Where that does not do, all
// are measured by the slowest instead. ok is false when the reports contradict each other.
func shifts(streams []alignment, leads []float64) (out []float64, ok bool) {
	out = make([]float64, len(streams))
	first, last, any := 0.0, 0.0, false
	for _, a := range streams {
		if !a.known {
			continue
		}
		if !any {
			first, last, any = a.zero, a.zero, true
		}
		first, last = min(first, a.zero), max(last, a.zero)
	}
	if last-first > maxShift {
		return out, false
	}
	reference := last
	for i, a := range streams {
		if a.known && last-a.zero > leads[i] {
			reference = first
		}
	}
	for i, a := range streams {
		if d := a.zero - reference; a.known && (d >= minShift || d <= -minShift) {
			out[i] = d
		}
	}
	return out, true
}
