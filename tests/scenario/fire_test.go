package scenario_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"sidetrack/internal/recorder"
	"sidetrack/tests/peer"
)

// tally counts what was done, by door and by verb.
type tally struct {
	sync.Mutex
	doors, verbs map[string]int
	actions      int
}

func (y *tally) add(door, verb string) {
	y.Lock()
	defer y.Unlock()
	y.actions++
	y.doors[door]++
	y.verbs[verb]++
}

// whole reports whether there was something of everything.
func (y *tally) whole(doors map[string]door) bool {
	y.Lock()
	defer y.Unlock()
	return len(y.doors) == len(doors) && len(y.verbs) == len(verbs)
}

// fireRules has calls with X-Keep recorded into files, the others by the SRS of the script.
const fireRules = "match: {not: {header: {X-Keep: wav}}}\n    %[1]s\n  - recorder: wav\n    %[1]s"

// FIRE_CALLS calls (20 when not set) are live, and for FIRE_TIME (3s) fifty actions a second come at random through every
// door: each is answered and done; what was said in a pause or under a mask is neither at the SRS nor in the WAV files of the
// embedded recorder, each of which has half of the calls; what was said else is in the files, all of it; each SRS knows at last
// what is paused; and no call is touched. With FIRE_TIME the rate is held, too; with SIDETRACK_BIN the commands are a door.
func TestControlUnderFire(t *testing.T) {
	n := many(t, "FIRE_CALLS", 20)
	lasts, err := time.ParseDuration(or(os.Getenv("FIRE_TIME"), "3s"))
	if err != nil {
		t.Fatal(err)
	}
	doors := maps.Clone(allDoors)
	if bin := os.Getenv("SIDETRACK_BIN"); bin != "" {
		doors["command"] = command(bin)
	}
	sums := make(chan recorder.Summary, n)
	rec := embedded(t, sums)
	st := newStage(t, setup{
		rule:     fmt.Sprintf(fireRules, fmt.Sprintf(steering, "caller", true)),
		recorder: "    check: 0s\n  wav:\n    check: 0s\n    timeout: 30s\n    srs: \"" + rec.URIs()[0] + "\"",
		timeout:  "30s", t1: 500 * time.Millisecond,
	})
	sessions := st.srs().AcceptAll()
	var calls []*call
	for i := range n {
		c := st.newCall(dialing{})
		out := peer.Call{URI: bobAOR, From: "<" + aliceAOR + ">", SDP: withKeys(c.a)}
		if i%2 == 1 {
			out.Opts = append(out.Opts, peer.With("X-Keep", "wav"))
		}
		c.out = st.caller.Invite(st.sys.SIP, out)
		c.in = st.callee.Expect("INVITE")
		c.in.Reply(200, peer.WithSDP(withKeys(c.b)))
		c.accepted(dialing{quiet: true})
		calls = append(calls, c)
	}
	scripted := (n + 1) / 2
	if !peer.Eventually(func() bool {
		return st.sys.sum("sidetrack_recordings_active") == float64(n) && sessions.Taken() == scripted && rec.Live() == n-scripted
	}) {
		t.Fatalf("%d of %d calls are recorded by the script, %d into files", sessions.Taken(), n, rec.Live())
	}
	hands := st.hands(calls, sessions)
	idle := make(chan *hand, n)
	for _, h := range hands {
		idle <- h
	}
	stop := murmur(calls)
	defer stop()
	ctx, cancel := context.WithTimeout(context.Background(), lasts)
	defer cancel()
	var under sync.WaitGroup
	done := tally{doors: map[string]int{}, verbs: map[string]int{}}
	watch := peer.StartStopwatch(t)
	tick := time.NewTicker(time.Second / 50)
	defer tick.Stop()
	var deck []string // of doors, so that each has its turn
	for ctx.Err() == nil || !done.whole(doors) && !t.Failed() {
		<-tick.C
		select {
		case h := <-idle:
			if len(deck) == 0 {
				deck = slices.Collect(maps.Keys(doors))
				rand.Shuffle(len(deck), func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
			}
			name := deck[0]
			deck = deck[1:]
			under.Go(func() {
				verb := h.act(name, doors[name])
				if h.astray {
					return // it has failed, and what else would be found out of it is not so
				}
				done.add(name, verb)
				idle <- h
			})
		case <-ctx.Done():
		}
	}
	under.Wait()
	had := watch.Took()
	t.Logf("%d actions in %v, of which there was time to act for %v, on %d calls: %v, %v", done.actions, lasts, had.Round(time.Second), n, done.doors, done.verbs)
	if !done.whole(doors) {
		t.Error("not everything was done")
	}
	if least := .9 * 50 * had.Seconds(); os.Getenv("FIRE_TIME") != "" && float64(done.actions) < least {
		t.Errorf("%d actions, of at least %.0f", done.actions, least)
	}
	for _, h := range hands {
		h.goesOn()
	}
	st.settled(hands, sessions, rec)
	stop()
	inVain := false
	for _, h := range hands {
		inVain = h.lossless(inVain)
	}
	for _, c := range calls {
		c.hangUp()
	}
	if !peer.Eventually(func() bool { return sessions.Ended() == scripted && rec.Live() == 0 }) {
		t.Errorf("%d of %d recordings have ended, and all but %d of the files", sessions.Ended(), scripted, rec.Live())
	}
	files := map[string]recorder.Summary{}
	for range n - scripted {
		sum := <-sums
		files[sum.CallID] = sum
	}
	frames, pauses, asked := 0, 0, 0
	for _, h := range hands {
		if h.rs != nil {
			h.judgeCopies()
			continue
		}
		f, p := h.judgeFiles(files[h.sipCallID])
		frames, pauses, asked = frames+f, pauses+p, asked+2*h.pauses // of both parties
	}
	t.Logf("%d frames in the files, %d pauses signalled of %d asked for", frames, pauses, asked)
	if sessions.Taken() != scripted {
		t.Errorf("%d recordings", sessions.Taken())
	}
}

// hands gives each call its hand.
func (st *stage) hands(calls []*call, sessions *peer.Sessions) (hands []*hand) {
	t := st.t
	t.Helper()
	_, body := st.sys.get("/api/v1/recordings?limit=1000")
	var page struct{ Items []item }
	if err := json.Unmarshal(body, &page); err != nil || len(page.Items) != len(calls) {
		t.Fatalf("%d recordings: %v", len(page.Items), err)
	}
	for _, r := range page.Items {
		h := &hand{st: st, id: r.str("id"), sipCallID: r.str("sip_call_id"), name: r.str("name"), copies: map[*peer.Media]*peer.Media{}}
		of, _ := r["call"].(map[string]any)
		for _, c := range calls {
			if c.left.CallID == of["sip_call_id"] {
				h.c = c
			}
		}
		for i := range sessions.Taken() {
			if s := sessions.Number(i); s.Dialog.CallID == h.sipCallID {
				h.rs = s
				for label, m := range s.Streams {
					h.copies[map[string]*peer.Media{aliceAOR: h.c.a, bobAOR: h.c.b}[s.Doc().Sender(label)]] = m
				}
			}
		}
		if r, ok := h.known(func(view) bool { return true }); !ok {
			t.Fatalf("%s is %+v", h.c.a.Call, r)
		}
		h.opened = h.said()
		hands = append(hands, h)
	}
	return hands
}
