package scenario_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"time"

	"sidetrack/tests/peer"
)

// span is what was said in some state for certain, by party: from excluded, to included.
type span struct{ from, to map[string]int }

// hand steers one call, one action at a time.
type hand struct {
	st        *stage
	c         *call
	id        string // of the recording
	name      string
	sipCallID string
	rs        *peer.Session               // at the SRS of the script; nil where the embedded recorder has it
	copies    map[*peer.Media]*peer.Media // there, by who speaks
	paused    bool
	masked    bool
	tag       string
	pref      string // what the caller's a=recordpref said last
	pauses    int
	astray    bool           // an action was not carried out: what came of it later is not known, nor what may be at the SRS
	shut      map[string]int // when the pause was known
	hidden    map[string]int // when the mask was known
	opened    map[string]int // when it was known that all is recorded
	silent    []span         // paused or masked
	voiced    []span         // neither
	story     []string       // of its actions
}

func (h *hand) said() map[string]int {
	return map[string]int{h.c.a.Party: h.c.a.Sent(), h.c.b.Party: h.c.b.Sent()}
}

// verbs are all actions. Not every door has a tag, or a mask.
var verbs = []string{"pause", "resume", "mask", "unmask", "tag"}

// door is a way by which a recording is steered.
type door struct {
	verbs []string
	do    func(h *hand, verb string)
}

var byKeys = map[string]string{"pause": "*2", "resume": "*3", "mask": "#4", "unmask": "#5"}

var allDoors = map[string]door{
	"http": {verbs, func(h *hand, verb string) {
		body := ""
		if verb == "tag" {
			body = fmt.Sprintf(`{"parameters": {"n": %q}}`, h.tag)
		}
		if status, body := h.st.sys.doBody(http.MethodPost, "/api/v1/recordings/"+h.id+"/"+verb, body); status != http.StatusOK {
			h.st.t.Errorf("%s by HTTP: %d %s", verb, status, body)
		}
	}},
	"info": {verbs, func(h *hand, verb string) {
		h.c.left.Send("INFO", peer.With("X-Sidetrack-Action", h.wish(verb, ""))).Expect(200)
	}},
	"other vendor's info": {verbs, func(h *hand, verb string) {
		h.c.left.Send("INFO", peer.With("X-AC-Action", h.wish(verb, "-siprec"))).Expect(200)
	}},
	"re-INVITE": {verbs, func(h *hand, verb string) {
		h.describe("INVITE", nil, peer.With("X-Sidetrack-Action", h.wish(verb, "")))
	}},
	"UPDATE": {verbs, func(h *hand, verb string) {
		h.describe("UPDATE", nil, peer.With("X-Sidetrack-Action", h.wish(verb, "")))
	}},
	"recordpref": {[]string{"pause", "resume"}, func(h *hand, verb string) {
		want := map[string]string{"pause": "pause", "resume": "on"}[verb]
		if h.pref == want { // only a change says anything
			h.describe("UPDATE", []string{"recordpref:nopreference"})
		}
		h.pref = want
		h.describe([]string{"INVITE", "UPDATE"}[rand.IntN(2)], []string{"recordpref:" + want})
	}},
	"keys by info": {verbs[:4], func(h *hand, verb string) {
		key(h.st.t, h.c.left, h.c.right, byKeys[verb], false)
	}},
	"keys as events": {verbs[:4], func(h *hand, verb string) {
		for _, k := range byKeys[verb] {
			h.c.a.Press(h.c.aTo.rtp, 101, byte(strings.IndexRune("0123456789*#", k)))
		}
	}},
}

// command is the door of those who have the program.
func command(bin string) door {
	return door{verbs, func(h *hand, verb string) {
		args := []string{verb, "--api", h.st.sys.HTTP, h.id}
		if verb == "tag" {
			args = append(args, "n="+h.tag)
		}
		if out, err := exec.Command(bin, args...).CombinedOutput(); err != nil {
			h.st.t.Errorf("sidetrack %s: %v: %s", verb, err, out)
		}
	}}
}

// wish is the value of a header field that asks for it.
func (h *hand) wish(verb, suffix string) string {
	value := verb + suffix + ";name=" + h.name
	if verb == "tag" {
		value += ";parameter=n;value=" + h.tag
	}
	return value
}

// describe has the caller describe its media anew.
func (h *hand) describe(method string, extra []string, opts ...peer.Opt) {
	c := h.c
	c.sdpVersion++
	sdp := func(m *peer.Media, extra ...string) peer.Opt {
		all := peer.BuildSDP(c.sdpVersion, peer.Line{Media: m, Extra: append([]string{"rtpmap:101 telephone-event/8000"}, extra...)})
		return peer.WithSDP(bytes.Replace(all, []byte("RTP/AVP 0"), []byte("RTP/AVP 0 101"), 1))
	}
	ask := c.left.Send(method, append(opts, sdp(c.a, extra...))...)
	in := c.right.Expect(method)
	if got := in.Get("X-Sidetrack-Action"); got != "" {
		h.st.t.Errorf("the callee got X-Sidetrack-Action %q", got)
	}
	in.Reply(200, sdp(c.b))
	ok := ask.Expect(200)
	if method == "INVITE" {
		c.left.Ack(ok)
		c.right.Expect("ACK")
	}
}

// through is what has come through to the other party, so that it is not under way any more.
func (h *hand) through() map[string]int {
	out := map[string]int{h.c.a.Party: 0, h.c.b.Party: 0}
	for _, far := range []*peer.Media{h.c.a, h.c.b} {
		for _, p := range far.Packets() {
			out[p.Party] = max(out[p.Party], p.Number)
		}
	}
	return out
}

// view is what the API tells of a recording.
type view struct {
	State      string
	Parameters map[string]string
	Streams    []struct{ Paused, Masked bool }
}

// known waits until the API says of the recording what the hand has made of it, and whatever else has to hold.
func (h *hand) known(also func(view) bool) (v view, ok bool) {
	state := map[bool]string{false: "recording", true: "paused"}[h.paused]
	return v, peer.Eventually(func() bool {
		v = view{}
		_, body := h.st.sys.get("/api/v1/recordings/" + h.id)
		if json.Unmarshal(body, &v) != nil || v.State != state || v.Parameters["n"] != h.tag || len(v.Streams) != 2 {
			return false
		}
		for _, s := range v.Streams {
			if s.Paused != h.paused || s.Masked != h.masked {
				return false
			}
		}
		return also(v)
	})
}

// act does something by that door, waits until the API says so, and tells what it was.
func (h *hand) act(name string, way door) (verb string) {
	possible := []string{"pause", "mask", "tag"}
	if h.paused {
		possible[0] = "resume"
	}
	if h.masked {
		possible[1] = "unmask"
	}
	possible = slices.DeleteFunc(possible, func(verb string) bool { return !slices.Contains(way.verbs, verb) })
	verb = possible[rand.IntN(len(possible))]
	wasOpen := !h.paused && !h.masked
	switch verb { // before it is asked for: what follows may be copied
	case "resume":
		h.silent = append(h.silent, span{h.shut, h.through()})
	case "unmask":
		h.silent = append(h.silent, span{h.hidden, h.through()})
	case "pause", "mask": // and what follows may be left out
		if wasOpen {
			h.voiced = append(h.voiced, span{h.opened, h.through()})
		}
	case "tag":
		h.tag = fmt.Sprint(len(h.story) + 1)
	}
	asked, said := time.Now(), h.said()
	way.do(h, verb)
	answered := time.Since(asked)
	switch verb {
	case "pause", "resume":
		h.paused = verb == "pause"
	case "mask", "unmask":
		h.masked = verb == "mask"
	}
	v, ok := h.known(func(view) bool { return true })
	if !ok {
		h.astray = true
		h.st.t.Errorf("%s by %s: %s is %+v:\n%s", verb, name, h.c.a.Call, v, strings.Join(h.story, "\n"))
		return verb
	}
	switch now := h.said(); {
	case verb == "pause":
		h.shut = now
		h.pauses++
	case verb == "mask":
		h.hidden = now
	case !wasOpen && !h.paused && !h.masked:
		h.opened = now
	}
	h.story = append(h.story, fmt.Sprintf("%v %s by %s after %v, answered in %v, known after %v and %v",
		asked.Format("05.000"), verb, name, said, answered, time.Since(asked), h.said()))
	return verb
}
