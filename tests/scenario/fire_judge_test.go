package scenario_test

import (
	"bytes"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"sidetrack/internal/audio"
	"sidetrack/internal/recorder"
	"sidetrack/tests/peer"
)

// goesOn waits until what is said when all is recorded again has come through, to the SRS of the script, too, while the
// parties speak.
func (h *hand) goesOn() {
	if h.paused || h.masked || h.astray {
		return
	}
	h.c.heard(1)
	for party, m := range h.copies {
		m.Await("what is said at last", func(all []peer.Packet) bool {
			return slices.ContainsFunc(all, func(p peer.Packet) bool { return p.Party == party.Party && p.Number > h.opened[p.Party] })
		})
	}
}

// settled waits until each SRS has been told what is paused at last.
func (st *stage) settled(hands []*hand, sessions *peer.Sessions, rec *recorder.Server) {
	st.t.Helper()
	var untrue []string
	if !peer.Eventually(func() bool {
		untrue = nil
		files := map[string]recorder.Summary{}
		for _, sum := range rec.Sessions() {
			files[sum.CallID] = sum
		}
		for _, h := range hands {
			if h.astray {
				continue
			}
			want := map[bool]string{false: "sendonly", true: "inactive"}[h.paused]
			if h.rs != nil {
				if got := sessions.Directions(h.rs); !slices.Equal(got, []string{want, want}) {
					untrue = append(untrue, h.c.a.Call+" is offered "+strings.Join(got, ", ")+", not "+want)
				}
				continue
			}
			for _, s := range files[h.sipCallID].Streams {
				if n := len(s.Pauses); h.paused != (n > 0 && s.Pauses[n-1].To == 0) {
					untrue = append(untrue, h.c.a.Call+" is not "+want+" for the recorder")
				}
			}
		}
		return len(untrue) == 0
	}) {
		st.t.Errorf("not true at the SRS: %s", strings.Join(untrue, "; "))
	}
}

// lossless waits until each party has heard all that the other has said. Keys are taken out of it, so that it is not bit
// for bit what was sent. Who is told that somebody else has waited in vain already does not wait; it tells whether this one has.
func (h *hand) lossless(inVain bool) bool {
	h.c.a.Quiet()
	h.c.b.Quiet()
	for _, way := range []struct {
		from, to *peer.Media
		by       media
	}{{h.c.a, h.c.b, h.c.aTo}, {h.c.b, h.c.a, h.c.bTo}} {
		var missing []int
		heard := func() bool {
			missing = way.to.Missing(way.from)
			return len(missing) == 0
		}
		if !heard() && (inVain || !peer.Eventually(heard)) {
			inVain = true
			h.st.t.Errorf("%s has not heard %d of %d packets of %s/%s: %v; dropped by the kernel at its socket: %d, at ours: %d",
				way.to.Party, len(missing), way.from.Sent(), way.from.Call, way.from.Party, missing, peer.Dropped(way.to.Addr()), peer.Dropped(way.by.rtp))
		}
		for _, p := range way.to.Packets() {
			if p.Call != way.from.Call || p.Party != way.from.Party {
				h.st.t.Errorf("%s heard a packet of %q/%q", way.to.Party, p.Call, p.Party)
			}
		}
	}
	if !h.astray { // and its last state is one of these
		switch said := h.said(); {
		case h.paused:
			h.silent = append(h.silent, span{h.shut, said})
		case h.masked:
			h.silent = append(h.silent, span{h.hidden, said})
		default:
			h.voiced = append(h.voiced, span{h.opened, said})
		}
	}
	return inVain
}

// within are the numbers that lie in one of the spans.
func within(numbers []int, party string, spans []span) (in []int) {
	for _, n := range numbers {
		if slices.ContainsFunc(spans, func(s span) bool { return n > s.from[party] && n <= s.to[party] }) {
			in = append(in, n)
		}
	}
	return in
}

// silence holds the numbers that an SRS has of a party against what was asked for.
func (h *hand) silence(where, party string, kept []int) {
	if leaked := within(kept, party, h.silent); len(leaked) > 0 {
		h.st.t.Errorf("%s: numbers %v of %s are %s, and were said in a pause or under a mask, %v:\n%s",
			h.c.a.Call, leaked, party, where, h.silent, strings.Join(h.story, "\n"))
	}
}

// judgeCopies looks at the packets that the SRS of the script got.
func (h *hand) judgeCopies() {
	for party, m := range h.copies {
		var kept []int
		for _, p := range m.Packets() {
			if p.Party == party.Party {
				kept = append(kept, p.Number)
			} else if p.Party != "" {
				h.st.t.Errorf("%s: the SRS got a packet of %s as one of %s", h.c.a.Call, p.Party, party.Party)
			}
		}
		h.silence("at the SRS", party.Party, kept)
	}
}

// spoken is how a frame of a peer sounds, where PCMU is read as text.
var spoken = regexp.MustCompile(`id\|(\w+)\|(\w+)\|(\d+)\|\.*`)

// judgeFiles looks into the WAV files of the embedded recorder: of what was said when all was recorded each frame is in it, of
// what was said in a pause or under a mask none, and what is in it besides is silence.
// It tells how many frames there are, and how many pauses.
func (h *hand) judgeFiles(sum recorder.Summary) (frames, pauses int) {
	t := h.st.t
	if len(sum.Streams) != 2 {
		t.Errorf("%s: %d streams in the summary of its recording, %q", h.c.a.Call, len(sum.Streams), sum.Reason)
		return 0, 0
	}
	codec, _ := audio.FindCodec("PCMU", 8000, 1)
	for _, s := range sum.Streams {
		party := map[string]*peer.Media{aliceAOR: h.c.a, bobAOR: h.c.b}[s.Party]
		if party == nil {
			t.Errorf("%s: a stream of %q", h.c.a.Call, s.Party)
			continue
		}
		if len(s.Pauses) > h.pauses || len(s.Pauses) == 0 && h.pauses > 0 && h.paused {
			t.Errorf("%s: %d pauses of %s were signalled, %d asked for", h.c.a.Call, len(s.Pauses), party.Party, h.pauses)
		}
		var wav audio.WAV
		if s.File != "" {
			var err error
			if wav, err = audio.ReadWAVFile(s.File); err != nil {
				t.Error(err)
				continue
			}
		}
		text := codec.NewEncoder().Encode(nil, wav.PCM)
		var kept []int
		for _, m := range spoken.FindAllSubmatchIndex(text, -1) {
			n, _ := strconv.Atoi(string(text[m[6]:m[7]]))
			if call, who := string(text[m[2]:m[3]]), string(text[m[4]:m[5]]); call != party.Call || who != party.Party || m[1]-m[0] != peer.Frame {
				t.Errorf("%s: in the file of %s there is %q", party.Call, party.Party, text[m[0]:m[1]])
			}
			kept = append(kept, n)
		}
		if rest := bytes.Trim(spoken.ReplaceAll(text, nil), "\xff"); len(rest) > 0 {
			t.Errorf("%s: in the file of %s there are %d samples that nobody has said: %q", party.Call, party.Party, len(rest), rest[:min(len(rest), 200)])
		}
		h.silence("in its WAV file", party.Party, kept)
		frames, pauses = frames+len(kept), pauses+len(s.Pauses)
		var due []int
		for n := range party.Sent() {
			due = append(due, n+1)
		}
		due = slices.DeleteFunc(within(due, party.Party, h.voiced), func(n int) bool { return slices.Contains(kept, n) })
		if uint64(len(due)) > s.Lost+s.Late {
			t.Errorf("%s: numbers %v of %s are not in its WAV file, and were said while it was recorded, %v; lost %d, late %d:\n%s",
				party.Call, due, party.Party, h.voiced, s.Lost, s.Late, strings.Join(h.story, "\n"))
		}
	}
	return frames, pauses
}
