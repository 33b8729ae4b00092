package src

import "time"

// reports is the SRS's habit of sending RTCP. One that used to report and has
// stopped while copies are sent to it may be gone: it is asked. A recorder of
// which it is known that it reports (Recorder.RTCPTimeout) is left when it goes
// on being silent, though its signalling lives.
type reports struct {
	came   int64         // when the newest did, in Unix ns
	last   time.Time     // when the newest did, or copies began to leave
	gap    time.Duration // the longest between two
	n      int32         // that have come, as seen by the watch
	asked  bool          // about this silence
	copied uint64        // packets that had left at the last look
}

// habit is how many reports make one.
const habit = 3

// look notes what has come since the last look. Time in which nothing is sent
// does not count: there is nothing to report.
func (r *reports) look(came bool, copied uint64, now time.Time) {
	sending := copied > r.copied
	r.copied = copied
	if came {
		if r.n > 0 {
			r.gap = max(r.gap, now.Sub(r.last))
		}
		r.n, r.came = r.n+1, now.UnixNano()
	}
	if came || !sending {
		r.last, r.asked = now, false
	}
}

// overdue tells whether the SRS is to be asked, once for each silence: two
// reports in a row are missing, or nothing has come for the limit.
func (r *reports) overdue(limit time.Duration, now time.Time) bool {
	silence := now.Sub(r.last)
	if r.asked || !(limit > 0 && silence >= limit || r.n >= habit && silence > 2*r.gap+time.Second) {
		return false
	}
	r.asked = true
	return true
}

// live tells whether the SRS goes on reporting as it used to.
func (r *reports) live(now time.Time) bool {
	return r.n >= habit && time.Duration(now.UnixNano()-r.came) <= 2*r.gap+time.Second
}

// deaf tells whether the SRS's media are to be given up.
func (r *reports) deaf(limit time.Duration, now time.Time) bool {
	return limit > 0 && now.Sub(r.last) >= 2*limit
}

// copied is how many packets of all streams have left.
func (s *Session) copied() (n uint64) {
	for _, st := range s.streams.all {
		n += st.numbers().Copied + st.numbers().Again
	}
	return n
}
