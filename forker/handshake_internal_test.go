package forker

import (
	"bytes"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"sidetrack/internal/dtls"
	"sidetrack/internal/srtp"
)

// Where too many handshakes are under way those that we begin wait until there is room, in their order, and those of
// calls that have ended meanwhile are left out.
func TestHandshakesWaitTheirTurn(t *testing.T) {
	identity, err := dtls.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	lo := netip.MustParseAddr("127.0.0.1")
	e, err := New(Config{Listen: lo, PortMin: 17800, PortMax: 17899})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	e.gate.room = 1
	var parties [3]*net.UDPConn // silent ones
	var relays [3]*Relay
	for i := range parties {
		if parties[i], err = net.ListenUDP("udp", &net.UDPAddr{IP: lo.AsSlice()}); err != nil {
			t.Fatal(err)
		}
		defer parties[i].Close()
		relays[i] = e.Open()
		if err := relays[i].SetStreams(1); err != nil {
			t.Fatal(err)
		}
		relays[i].SetRemote(SideA, 0, Remote{
			RTP: parties[i].LocalAddr().(*net.UDPAddr).AddrPort(), Sends: true, RTPKind: true, Ended: true, Secure: true,
			DTLS: &dtls.Peer{Identity: identity, Client: true, Fingerprints: []string{identity.Fingerprint}},
		})
	}
	asked := func(i int) {
		t.Helper()
		b := make([]byte, 2048)
		_ = parties[i].SetReadDeadline(time.Now().Add(20 * time.Second))
		if n, err := parties[i].Read(b); err != nil || !dtls.Is(b[:n]) {
			t.Fatalf("party %d got % x, %v", i, b[:min(n, 20)], err)
		}
	}
	asked(0)
	relays[1].Close()
	relays[0].Close() // makes room
	asked(2)
	if relays[1].streams[0].legs[SideA].ended.dtls.attempts != 0 {
		t.Error("the handshake of a call that has ended was begun")
	}
	relays[2].Close()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		e.gate.mu.Lock()
		room, waiting := e.gate.room, len(e.gate.waiting)
		e.gate.mu.Unlock()
		if room == 1 && waiting == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("room for %d at the end, %d wait", room, waiting)
		}
	}
}

// A fault of ours met while shaking hands costs that handshake, not the process, and its room is for others.
func TestPanicInAHandshakeIsContained(t *testing.T) {
	identity, err := dtls.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	lo := netip.MustParseAddr("127.0.0.1")
	e, err := New(Config{Listen: lo, PortMin: 17900, PortMax: 17999, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	e.gate.room = 1
	party, err := net.ListenUDP("udp", &net.UDPAddr{IP: lo.AsSlice()})
	if err != nil {
		t.Fatal(err)
	}
	defer party.Close()
	for _, faulty := range []bool{true, false} {
		who := &dtls.Peer{Identity: identity, Client: true, Fingerprints: []string{identity.Fingerprint}}
		if faulty {
			who.Identity = nil
		}
		r := e.Open()
		defer r.Close()
		if err := r.SetStreams(1); err != nil {
			t.Fatal(err)
		}
		r.SetRemote(SideA, 0, Remote{
			RTP: party.LocalAddr().(*net.UDPAddr).AddrPort(), Sends: true, RTPKind: true, Ended: true, Secure: true, DTLS: who,
		})
	}
	b := make([]byte, 2048)
	_ = party.SetReadDeadline(time.Now().Add(20 * time.Second))
	if n, err := party.Read(b); err != nil || !dtls.Is(b[:n]) {
		t.Errorf("behind the fault nobody shakes hands: % x, %v", b[:min(n, 20)], err)
	}
	if err := e.Close(); err != nil {
		t.Error(err)
	}
	if n := strings.Count(log.String(), "panic="); n != 1 {
		t.Errorf("%d faults in the log:\n%s", n, log.String())
	}
}

// A leg remembers so many of our keys and no more, those that were used last; one that comes back goes on where it was.
func TestSealersAreBounded(t *testing.T) {
	keys := make([]*srtp.Key, 3*maxSealers)
	for i := range keys {
		var err error
		if keys[i], err = srtp.NewKey(srtp.AEAD128GCM); err != nil {
			t.Fatal(err)
		}
	}
	e := &ending{}
	first := e.sealer(keys[0])
	for _, k := range keys[1:] {
		e.sealer(k)
		if e.sealer(keys[0]) != first {
			t.Fatalf("a key in use begins anew after %d others", len(e.sealers))
		}
	}
	if len(e.sealers) != maxSealers || cap(e.sealers) > 2*maxSealers {
		t.Errorf("%d of %d keys are remembered, at most %d are to be", len(e.sealers), len(keys), maxSealers)
	}
	for _, k := range keys[len(keys)-maxSealers+1:] {
		if !slices.ContainsFunc(e.sealers, func(s ownSealer) bool { return s.key == k }) {
			t.Error("one of the last keys is forgotten")
		}
	}
}

// Whoever names one association after the other, or has one begun again and again, keeps us busy with a bounded number.
func TestAssociationsAreBounded(t *testing.T) {
	e := &ending{}
	for n := range 3 * maxAssociations {
		e.associate(nil, nil, &dtls.Peer{ID: strconv.Itoa(n)})
	}
	if len(e.associations) != maxAssociations || e.dtls != nil || e.out != nil {
		t.Errorf("%d associations, the last one %v", len(e.associations), e.dtls)
	}
	if e.associate(nil, nil, &dtls.Peer{ID: "0"}); e.dtls != e.associations[0] {
		t.Error("a known one is not found")
	}
	a := &association{peer: &dtls.Peer{}, attempts: maxAttempts}
	if a.begin(&Relay{engine: &Engine{gate: gate{room: 1}}}, &leg{}); a.attempts != maxAttempts || a.pipe != nil {
		t.Errorf("begun for the %dth time", a.attempts)
	}
}
