package srtp

// sources is how many SSRCs of a stream are followed at once.
const maxSources = 4

// source is one SSRC: its packet index (RFC 3711 §3.3.1), that is the sequence
// number extended by the rollover counter.
type source struct {
	ssrc   uint32
	known  bool
	high   int64 // newest index
	proof  *lock // under which it was authenticated last; nil: never
	failed int   // packets in a row that were not authentic
	turn   uint64
}

// guess is the index that the sequence number most likely stands for, when high
// is the newest one.
func guess(high int64, seq uint16) int64 { return high + int64(int16(seq-uint16(high))) }

func (s *source) guess(seq uint16) int64 { return guess(s.high, seq) }

func (s *source) advance(index int64) { s.high = max(s.high, index) }

// tracker finds sources; the one unheard for longest makes room for a new one,
// those first that were never authentic.
type tracker struct {
	sources [maxSources]source
	turn    uint64
}

// find gives the source, nil when it is not followed.
func (t *tracker) find(ssrc uint32) *source {
	for i := range t.sources {
		if s := &t.sources[i]; s.known && s.ssrc == ssrc {
			t.turn++
			s.turn = t.turn
			return s
		}
	}
	return nil
}

// admit begins to follow a source at that index.
func (t *tracker) admit(ssrc uint32, index int64) *source {
	oldest := &t.sources[0]
	for i := range t.sources {
		s := &t.sources[i]
		if proven, old := s.proof != nil, oldest.proof != nil; proven != old && old || proven == old && s.turn < oldest.turn {
			oldest = s
		}
	}
	t.turn++
	*oldest = source{ssrc: ssrc, known: true, high: index, turn: t.turn}
	return oldest
}
