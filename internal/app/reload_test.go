package app_test

import (
	"context"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"

	"sidetrack/tests/peer"
)

const reloaded = "sidetrack_config_last_reload_successful"

// A reload puts rules in force for new calls; running ones keep theirs.
func TestReload(t *testing.T) {
	s := open(t)
	left, right := s.call()
	for _, name := range []string{"sidetrack_config_last_reload_success_timestamp_seconds", reloaded} {
		if s.metric(name) == "" || s.metric(name) == "0" {
			t.Errorf("%s is %q after the start", name, s.metric(name))
		}
	}
	changed := parse(t, text(append([]string{
		"{name: pbx,", `{name: pbx, match: {from: nobody},`, "{name: all,", "{name: other,",
	}, s.names...)...))
	if err := s.app.Reload(changed); err != nil {
		t.Fatal(err)
	}
	s.dial(peer.NewMedia(t, home(4), "late", "alice")).Expect(404)
	s.app.ReloadFailed()
	if v := s.metric(reloaded); v != "0" {
		t.Errorf("after a bad file the gauge is %s", v)
	}
	if err := s.app.Reload(parse(t, text(s.names...))); err != nil {
		t.Fatal(err)
	}
	if v := s.metric(reloaded); v != "1" {
		t.Errorf("after a good file the gauge is %s", v)
	}
	again, there := s.call()
	for _, d := range [][2]*peer.Dialog{{left, right}, {again, there}} {
		bye := d[0].Send("BYE")
		d[1].AnswerBye()
		bye.Expect(200)
	}
	s.eventually("both recordings end", func() bool { return s.sessions.Ended() == 2 })
}

// What waits for a restart is named wherever one looks, and the rest is in force.
func TestReloadNamesWhatWaits(t *testing.T) {
	queue := t.TempDir()
	hook := func(queue string) string {
		return `webhooks: {queue: ` + queue + `, hooks: [{name: crm, url: "http://` + home(6) + `:9", secret: 0123456789abcdef}]}` + "\nhttp: {"
	}
	s := open(t, "http: {", hook(queue+"/a"))
	names := append([]string{"{name: pbx,", `{name: pbx, match: {from: nobody},`, "http: {", hook(queue + "/b")}, s.names[2:]...)
	if err := s.app.Reload(parse(t, text(names...))); err != nil {
		t.Fatal(err)
	}
	s.dial(peer.NewMedia(t, home(4), "late", "alice")).Expect(404)
	if log := s.log.String(); !strings.Contains(log, "only after a restart") || !strings.Contains(log, "key=webhooks.queue") ||
		strings.Contains(log, "key=sip.listen") {
		t.Errorf("log:\n%s", log)
	}
	if v := s.metric("sidetrack_config_restart_keys"); v != "1" {
		t.Errorf("%s keys wait for a restart", v)
	}
	if _, body := s.get("/api/v1/config"); !strings.Contains(body, `"restart":["webhooks.queue"]`) {
		t.Errorf("the API says %s", body)
	}
	if err := s.app.Reload(parse(t, text(s.names...))); err != nil {
		t.Fatal(err)
	}
	if _, body := s.get("/api/v1/config"); !strings.Contains(body, `"restart":[]`) {
		t.Errorf("the API says %s", body)
	}
}

// Hooks that came by a reload have a folder that only a restart changes, as those of the start.
func TestReloadKeepsTheFirstQueue(t *testing.T) {
	dir := t.TempDir()
	s := open(t)
	for _, step := range [][2]string{{"a", `"restart":[]`}, {"b", `"restart":["webhooks.queue"]`}, {"a", `"restart":[]`}} {
		hook := `webhooks: {queue: ` + dir + "/" + step[0] + `, hooks: [{name: crm, url: "http://` + home(6) + `:9", secret: 0123456789abcdef}]}` + "\nhttp: {"
		if err := s.app.Reload(parse(t, text(append([]string{"http: {", hook}, s.names...)...))); err != nil {
			t.Fatal(err)
		}
		if _, body := s.get("/api/v1/config"); !strings.Contains(body, step[1]) {
			t.Errorf("with the folder %s the API says %s", step[0], body)
		}
	}
	if _, err := os.Stat(dir + "/b"); err == nil {
		t.Error("events are in two folders")
	}
}

// What calls, registrations, sockets and copies begin with changes without a restart: new calls have identifiers of their
// own on each leg, new phones a Path, a running call keeps what it has.
func TestReloadOfWhatBegins(t *testing.T) {
	s := open(t)
	left, right := s.call()
	changed := parse(t, text(append([]string{"drain: 30s", "identity: rewrite\n  register: path\n  dscp: cs3", "ports: ", "batch: 4, ports: "}, s.names...)...))
	if err := s.app.Reload(changed); err != nil {
		t.Fatal(err)
	}
	if _, body := s.get("/api/v1/config"); !strings.Contains(body, `"restart":[]`) {
		t.Errorf("waits for a restart: %s", body)
	}
	hidden, there := s.call()
	if left.CallID != right.CallID || hidden.CallID == there.CallID {
		t.Errorf("Call-IDs: before %s and %s, after %s and %s", left.CallID, right.CallID, hidden.CallID, there.CallID)
	}
	s.caller.Start("REGISTER", s.sip(), peer.Call{URI: "sip:pbx.test", From: "<sip:alice@pbx.test>", Opts: []peer.Opt{peer.With("To", "<sip:alice@pbx.test>")}})
	register := s.pbx.Expect("REGISTER")
	if register.Get("Path") == "" {
		t.Errorf("REGISTER came as %q", register.Raw)
	}
	register.Reply(403)
	for _, d := range [][2]*peer.Dialog{{left, right}, {hidden, there}} {
		info := d[1].Send("INFO")
		d[0].Expect("INFO").Reply(200)
		info.Expect(200)
		bye := d[0].Send("BYE")
		d[1].AnswerBye()
		bye.Expect(200)
	}
	s.eventually("both recordings end", func() bool { return s.sessions.Ended() == 2 })
}

// A socket that a reload takes away serves the call that came by it, refuses
// others, and is closed when the call has ended.
func TestReloadSockets(t *testing.T) {
	s := open(t)
	left, right := s.call()
	old := s.sip()
	cfg := parse(t, strings.Replace(text(s.names...), "udp://"+home(1)+":0", "udp://"+home(5)+":0", 1))
	if err := s.app.Reload(cfg); err != nil {
		t.Fatal(err)
	}
	if s.sip().Addr() != netip.MustParseAddr(home(5)) {
		t.Fatalf("listens on %v", s.sip())
	}
	if v := s.metric(`sidetrack_sip_sockets{state="retiring"}`); v != "1" {
		t.Errorf("%s sockets retire", v)
	}
	s.caller.Invite(old, peer.Call{URI: "sip:bob@pbx.test", SDP: peer.BuildSDP(1, peer.Line{Media: peer.NewMedia(t, home(4), "late", "alice")})}).Expect(503)
	again, there := s.call()
	hold := left.Send("INFO") // the running call goes on by it, both ways
	right.Expect("INFO").Reply(200)
	hold.Expect(200)
	back := right.Send("INFO")
	left.Expect("INFO").Reply(200)
	back.Expect(200)
	for _, d := range [][2]*peer.Dialog{{left, right}, {again, there}} {
		bye := d[0].Send("BYE")
		d[1].AnswerBye()
		bye.Expect(200)
	}
	s.eventually("the socket is closed", func() bool { return s.metric(`sidetrack_sip_sockets{state="retiring"}`) == "0" })
	c, err := net.ListenPacket("udp", old.String())
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

// A reload that exchanges sockets together with their networks: whenever a call comes in between, it comes by
// a socket that has its network, be that of before or of now.
func TestReloadKeepsSocketsAndNetworksTogether(t *testing.T) {
	network := func(name string, socket, media int) []string {
		return []string{
			"tcp://" + home(1) + ":0", "udp://" + home(socket) + ":0", "ports: 26000-26199",
			"ports: 26000-26199, networks: {" + name + ": {listen: " + home(media) + `, ports: 26200-26299, listeners: ["udp://` + home(socket) + `:0"]}}`,
			"recording:\n  - {name: all, recorder: main}\n", "",
		}
	}
	s := open(t, network("old", 5, 7)...)
	media := map[string]string{home(1): home(1), home(5): home(7), home(6): home(8)} // by socket
	seen := map[string]bool{}
	call := func(socket netip.AddrPort) {
		t.Helper()
		a, b := peer.NewMedia(t, home(4), "call", "alice"), peer.NewMedia(t, home(2), "call", "bob")
		out := s.caller.Invite(socket, peer.Call{URI: "sip:bob@pbx.test", SDP: peer.BuildSDP(1, peer.Line{Media: a})})
		in := s.pbx.Expect("INVITE")
		in.Reply(200, peer.WithSDP(peer.BuildSDP(1, peer.Line{Media: b})))
		ok := out.Expect(200)
		if want := media[socket.Addr().String()]; !strings.Contains(string(ok.SDP()), "c=IN IP4 "+want+"\r\n") {
			t.Errorf("a call by %v has its media elsewhere than at %s:\n%s", socket, want, ok.SDP())
		}
		left, right := out.Dialog(ok), in.Dialog()
		left.Ack(ok)
		right.Expect("ACK")
		bye := left.Send("BYE")
		right.AnswerBye()
		bye.Expect(200)
	}
	changed := parse(t, text(append(network("new", 6, 8), s.names[6:]...)...))
	if err := s.app.ReloadBySteps(changed, func() {
		for _, l := range s.app.Listeners() {
			seen[l.Bound.Addr().String()] = true
			call(l.Bound)
		}
	}); err != nil {
		t.Fatal(err)
	}
	if len(seen) != 3 {
		t.Errorf("calls came by %v", seen)
	}
}

// What cannot be bound, read or opened changes nothing.
func TestReloadThatCannotBe(t *testing.T) {
	s := open(t)
	udp, tcp := taken(t, "udp", home(6)+":0"), taken(t, "tcp", home(6)+":0")
	before := text(s.names...)
	http := s.app.HTTPAddr()
	for what, change := range map[string][2]string{
		"sip.listen: listening on udp://" + udp + ": address already in use": {"tcp://" + home(1) + ":0", "udp://" + udp},
		"http.listen: listening on " + tcp + ": address already in use":      {`http: {listen: "` + home(1) + `:0"`, `http: {listen: "` + tcp + `"`},
		"webhooks.queue: /dev/null/x/crm cannot be used: not a directory":    {"http: {", "webhooks: {queue: /dev/null/x, hooks: [{name: crm, url: http://127.0.0.1:9, secret: 0123456789abcdef}]}\nhttp: {"},
		"http.audit: open /dev/null/x: not a directory":                      {"http: {", "http: {audit: /dev/null/x, "},
	} {
		cfg := parse(t, strings.Replace(strings.Replace(before, "udp://"+home(1)+":0", "udp://"+home(7)+":0", 1), change[0], change[1], 1))
		if err := s.app.Reload(cfg); err == nil || err.Error() != what {
			t.Errorf("error %v, want %s", err, what)
		}
		if v := s.metric(reloaded); v != "0" {
			t.Errorf("%s: the gauge is %s", what, v)
		}
		if s.sip().Addr().String() != home(1) || s.app.HTTPAddr() != http || len(s.app.Listeners()) != 2 {
			t.Errorf("%s: listens on %v", what, s.app.Listeners())
		}
	}
	if c, err := net.ListenPacket("udp", home(7)+":5062"); err != nil {
		t.Error(err)
	} else {
		c.Close()
	}
	left, right := s.call()
	bye := left.Send("BYE")
	right.AnswerBye()
	bye.Expect(200)
}

// Tokens, limits and ports of a reload count for what comes next.
func TestReloadLimits(t *testing.T) {
	s := open(t)
	left, right := s.call()
	cfg := parse(t, strings.NewReplacer("drain: 30s", "max_calls: 1", "26000-26199", "26200-26219", "http: {", "http: {local: none, ").Replace(text(s.names...)))
	if err := s.app.Reload(cfg); err != nil {
		t.Fatal(err)
	}
	if status, _ := s.get("/api/v1/calls"); status != 403 {
		t.Errorf("without a role: %d", status)
	}
	s.dial(peer.NewMedia(t, home(4), "late", "alice")).Expect(503)
	if p := s.app.MediaPorts(); p.Used == 0 || p.Free != 20 {
		t.Errorf("%+v", p)
	}
	bye := left.Send("BYE")
	right.AnswerBye()
	bye.Expect(200)
	if err := s.app.Stop(context.Background()); err != nil {
		t.Error(err)
	}
	s.stopped = true
	if err := s.app.Reload(cfg); err == nil || err.Error() != "the proxy stops" {
		t.Errorf("a reload after the stop: %v", err)
	}
}
