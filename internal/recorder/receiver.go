package recorder

import "time"

const (
	switchIdle = 60 * time.Millisecond // the old source's silence after which a new one is followed
	rivalDepth = 16                    // packets of a new source that are kept meanwhile
)

// receiver follows the sources (SSRC) of one stream, one at a time, and delivers
// their packets in order. It is deciding only: no I/O, no clock; arrival times
// come with the packets and must not fall.
type receiver struct {
	n       counters
	current *sequencer
	rival   []packet // of another source, which may follow
	in      packet   // the datagram at hand; here because what it is passed to would put it on the heap
	deliver func(p *packet, lost uint64)
	// changed is called before the first packet of a new source is delivered.
	changed func()
}

// receive takes one datagram; it is not kept.
func (r *receiver) receive(b []byte, at time.Duration) {
	var ok bool
	r.in, ok = parseRTP(b, at)
	p := &r.in
	switch {
	case !ok:
		r.n.malformed++
	case r.current == nil:
		r.follow(p.ssrc)
		r.current.receive(p)
	case p.ssrc == r.current.ssrc:
		r.current.receive(p)
	default:
		r.other(p)
	}
	r.in.raw = nil
}

func (r *receiver) follow(ssrc uint32) {
	if r.current != nil {
		r.current.flush()
	}
	r.n.sources++
	if r.changed != nil {
		r.changed()
	}
	r.current = &sequencer{ssrc: ssrc, n: &r.n, deliver: r.deliver}
}

// other is a packet of a source that is not followed. A new source is followed
// when the old one has said goodbye, or has fallen silent while two packets of the
// new one came: so neither a stray packet nor two sources at once cut the audio
// into pieces. What came meanwhile is not lost.
func (r *receiver) other(p *packet) {
	if len(r.rival) > 0 && r.rival[0].ssrc != p.ssrc {
		r.n.foreign += uint64(len(r.rival))
		r.rival = r.rival[:0]
	}
	if len(r.rival) == rivalDepth {
		r.n.foreign++
		r.rival = append(r.rival[:0], r.rival[1:]...)
	}
	r.rival = append(r.rival, p.own())
	silent := p.at-r.current.last >= switchIdle && len(r.rival) >= 2
	if silent || r.current.ended {
		r.succeed()
	}
}

func (r *receiver) succeed() {
	held := r.rival
	r.rival = nil
	// What the old source sent after them was between them; only the rest follows on.
	for len(held) > 1 && held[0].at < r.current.last {
		r.n.foreign++
		held = held[1:]
	}
	r.follow(held[0].ssrc)
	for i := range held {
		r.current.receive(&held[i])
	}
}

// goodbye is an RTCP BYE of a source (RFC 3550 §6.6).
func (r *receiver) goodbye(ssrc uint32) {
	if r.current != nil && r.current.ssrc == ssrc {
		r.current.ended = true
		r.current.flush()
		if len(r.rival) > 0 {
			r.succeed()
		}
	}
}

// flush delivers everything that still waits; the stream has ended.
func (r *receiver) flush() {
	if r.current == nil {
		return
	}
	if len(r.rival) > 0 && r.rival[len(r.rival)-1].at > r.current.last {
		r.succeed()
	}
	r.n.foreign += uint64(len(r.rival))
	r.rival = nil
	r.current.flush()
}
