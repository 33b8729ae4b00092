package scenario_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"sidetrack/tests/peer"
)

// held is what was said while a recording was paused for certain, by party: from excluded, to included.
type held struct{ from, to map[string]int }

// hand steers one call, one action at a time.
type hand struct {
	st     *stage
	c      *call
	id     string                      // of the recording
	copies map[*peer.Media]*peer.Media // at the SRS, by who speaks
	paused bool
	astray bool           // an action was not carried out: what came of it later is not known, nor what may be at the SRS
	closed map[string]int // when the pause was known
	opened map[string]int // when the last resumption was known
	holds  []held
	story  []string // of its actions
}

func (h *hand) said() map[string]int {
	return map[string]int{h.c.a.Party: h.c.a.Sent(), h.c.b.Party: h.c.b.Sent()}
}

// doors are the ways by which a recording is paused and resumed.
var doors = map[string]func(h *hand, verb string){
	"http": func(h *hand, verb string) {
		if status, body := h.st.sys.do(http.MethodPost, "/api/v1/recordings/"+h.id+"/"+verb); status != http.StatusOK {
			h.st.t.Errorf("%s by HTTP: %d %s", verb, status, body)
		}
	},
	"info": func(h *hand, verb string) {
		h.c.left.Send("INFO", peer.With("X-Sidetrack-Action", verb)).Expect(200)
	},
	"other vendor's info": func(h *hand, verb string) {
		h.c.left.Send("INFO", peer.With("X-AC-Action", verb+"-siprec;name=main")).Expect(200)
	},
	"keys by info": func(h *hand, verb string) {
		key(h.st.t, h.c.left, h.c.right, keysOf[verb], false)
	},
	"keys as events": func(h *hand, verb string) {
		for _, k := range keysOf[verb] {
			h.c.a.Press(h.c.aTo.rtp, 101, byte(strings.IndexRune("0123456789*#", k)))
		}
	},
	"re-INVITE": func(h *hand, verb string) {
		h.c.sdpVersion++
		ask := h.c.left.Send("INVITE", peer.WithSDP(described(h.c.a, h.c.sdpVersion)), peer.With("X-Sidetrack-Action", verb))
		h.c.right.Expect("INVITE").Reply(200, peer.WithSDP(described(h.c.b, h.c.sdpVersion)))
		h.c.left.Ack(ask.Expect(200))
		h.c.right.Expect("ACK")
	},
}

var keysOf = map[string]string{"pause": "*2", "resume": "*3"}

func described(m *peer.Media, version int) []byte {
	sdp := peer.BuildSDP(version, peer.Line{Media: m, Extra: []string{"rtpmap:101 telephone-event/8000"}})
	return bytes.Replace(sdp, []byte("RTP/AVP 0"), []byte("RTP/AVP 0 101"), 1)
}

// command is the door of those who have the program.
func command(bin string) func(h *hand, verb string) {
	return func(h *hand, verb string) {
		out, err := exec.Command(bin, verb, "--api", h.st.sys.HTTP, h.id).CombinedOutput()
		if err != nil {
			h.st.t.Errorf("sidetrack %s: %v: %s", verb, err, out)
		}
	}
}

// through is what has come through to the other party, so that it is not under way any more.
func (h *hand) through() map[string]int {
	out := map[string]int{}
	for _, far := range []*peer.Media{h.c.a, h.c.b} {
		for _, p := range far.Packets() {
			out[p.Party] = max(out[p.Party], p.Number)
		}
	}
	return out
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
	return inVain
}

// act pauses or resumes by that door, and waits until the API says so.
func (h *hand) act(door string) {
	verb, state := "pause", "paused"
	if h.paused {
		verb, state = "resume", "recording"
		h.holds = append(h.holds, held{h.closed, h.through()}) // before it is asked for: what follows may be copied
	}
	asked, said := time.Now(), h.said()
	doors[door](h, verb)
	answered := time.Since(asked)
	var r item
	if !peer.Eventually(func() bool {
		_, body := h.st.sys.get("/api/v1/recordings/" + h.id)
		return json.Unmarshal(body, &r) == nil && r.str("state") == state
	}) {
		h.astray = true
		h.st.t.Errorf("%s by %s: %s is %s:\n%s", verb, door, h.c.a.Call, r.str("state"), strings.Join(h.story, "\n"))
		return
	}
	if h.paused = !h.paused; h.paused {
		h.closed = h.said()
	} else {
		h.opened = h.said()
	}
	h.story = append(h.story, fmt.Sprintf("%v %s by %s after %v, answered in %v, known after %v and %v",
		asked.Format("05.000"), verb, door, said, answered, time.Since(asked), h.said()))
}

// goesOn waits until what is said after the last resumption is at the SRS, while the parties speak.
func (h *hand) goesOn() {
	if h.paused || h.astray {
		return
	}
	for party, m := range h.copies {
		m.Await("what is said after the last resumption", func(all []peer.Packet) bool {
			return slices.ContainsFunc(all, func(p peer.Packet) bool { return p.Party == party.Party && p.Number > h.opened[p.Party] })
		})
	}
}

// judge holds the packets at the SRS against what was asked for, once nobody speaks any more.
func (h *hand) judge() {
	t := h.st.t
	if h.paused && !h.astray {
		h.holds = append(h.holds, held{h.closed, h.said()})
	}
	for party, m := range h.copies {
		for _, w := range h.holds {
			var leaked []int
			for _, p := range m.Packets() {
				if p.Party != "" && p.Number > w.from[p.Party] && p.Number <= w.to[p.Party] {
					leaked = append(leaked, p.Number)
				}
			}
			if len(leaked) > 0 {
				t.Errorf("%s: numbers %v of %s are at the SRS, and were said in a pause, %v to %v:\n%s", h.c.a.Call, leaked, party.Party, w.from, w.to, strings.Join(h.story, "\n"))
			}
		}
	}
}

// FIRE_CALLS calls (20 when not set) are live, and for FIRE_TIME (3s) fifty pauses and resumptions a second come at random
// through every door: each is answered and done, nothing that was said in a pause is at the SRS, and no call is touched.
// With SIDETRACK_BIN the commands are a door, too.
func TestControlUnderFire(t *testing.T) {
	n := many(t, "FIRE_CALLS", 20)
	lasts, err := time.ParseDuration(or(os.Getenv("FIRE_TIME"), "3s"))
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"http", "info", "other vendor's info", "keys by info", "keys as events", "re-INVITE"}
	if bin := os.Getenv("SIDETRACK_BIN"); bin != "" {
		doors["command"] = command(bin)
		names = append(names, "command")
	}
	st := newStage(t, setup{rule: fmt.Sprintf(steering, "caller", true), recorder: "    check: 0s", timeout: "30s", t1: 500 * time.Millisecond})
	sessions := st.srs().AcceptAll()
	idle := make(chan *hand, n)
	var calls []*call
	var hands []*hand
	for range n {
		c := st.newCall(dialing{})
		c.out = st.caller.Invite(st.sys.SIP, peer.Call{URI: bobAOR, From: "<" + aliceAOR + ">", SDP: described(c.a, 1)})
		c.in = st.callee.Expect("INVITE")
		c.in.Reply(200, peer.WithSDP(described(c.b, 1)))
		c.accepted(dialing{quiet: true})
		calls = append(calls, c)
	}
	if !peer.Eventually(func() bool { return st.sys.sum("sidetrack_recordings_active") == float64(n) && sessions.Taken() == n }) {
		t.Fatalf("%d of %d calls are recorded", sessions.Taken(), n)
	}
	_, body := st.sys.get("/api/v1/recordings?limit=1000")
	var page struct{ Items []item }
	if err := json.Unmarshal(body, &page); err != nil || len(page.Items) != n {
		t.Fatalf("%d recordings: %v", len(page.Items), err)
	}
	for _, r := range page.Items {
		h := &hand{st: st, id: r.str("id"), copies: map[*peer.Media]*peer.Media{}}
		var rs *peer.Session
		of, _ := r["call"].(map[string]any)
		for i, c := range calls {
			if c.left.CallID == of["sip_call_id"] {
				h.c = c
			}
			if s := sessions.Number(i); s.Dialog.CallID == r.str("sip_call_id") {
				rs = s
			}
		}
		for label, m := range rs.Streams {
			h.copies[map[string]*peer.Media{aliceAOR: h.c.a, bobAOR: h.c.b}[rs.Doc().Sender(label)]] = m
		}
		h.opened = h.said()
		hands = append(hands, h)
		idle <- h
	}
	if sessions.Taken() != n { // and from here on the sessions are their own
		t.Fatal("another recording")
	}
	stop := murmur(calls)
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), lasts)
	defer cancel()
	var under sync.WaitGroup
	var done atomic.Int64
	tick := time.NewTicker(time.Second / 50)
	defer tick.Stop()
	for ctx.Err() == nil {
		<-tick.C
		select {
		case h := <-idle:
			door := names[rand.IntN(len(names))]
			under.Go(func() {
				if h.act(door); h.astray {
					return // it has failed, and what else would be found out of it is not so
				}
				done.Add(1)
				idle <- h
			})
		case <-ctx.Done():
		}
	}
	under.Wait()
	t.Logf("%d actions in %v on %d calls", done.Load(), lasts, n)
	if done.Load() == 0 {
		t.Error("nothing was done")
	}
	for _, h := range hands {
		h.goesOn()
	}
	stop()
	inVain := false
	for _, h := range hands {
		inVain = h.lossless(inVain)
	}
	for _, h := range hands {
		h.judge()
	}
	for _, c := range calls {
		c.hangUp()
	}
	if !peer.Eventually(func() bool { return sessions.Ended() == n }) {
		t.Errorf("%d of %d recordings have ended", sessions.Ended(), n)
	}
	if sessions.Taken() != n {
		t.Errorf("%d recordings", sessions.Taken())
	}
}
