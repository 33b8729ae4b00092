package recorder_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sidetrack/internal/audio"
	"sidetrack/internal/recorder"
)

func stop(t testing.TB, s *recorder.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		t.Error(err)
	}
}

func TestRecordsEachPartyInItsOwnFile(t *testing.T) {
	for _, proto := range []string{"udp", "tcp"} {
		t.Run(proto, func(t *testing.T) {
			s, ended := serve(t, nil)
			c := dial(t, s, proto, 2)
			m := c.call(two)
			if got := m.headers["contact"]; !strings.Contains(got, ">;+sip.srs") {
				t.Errorf("Contact %q lacks +sip.srs", got)
			}
			if n := strings.Count(m.body, "a=recvonly"); n != 2 || !strings.Contains(m.body, "a=label:1") || !strings.Contains(m.body, "a=label:2") {
				t.Errorf("answer:\n%s", m.body)
			}
			for i, port := range c.remote {
				if port == 0 || port%2 != 0 {
					t.Errorf("port of section %d is %d, want an even one", i, port)
				}
			}
			newSender(c, 0, "PCMU", 0, 0).talk(150)
			newSender(c, 1, "PCMU", 0, 1).talk(150)
			packets(t, s, 0, 150)
			packets(t, s, 1, 150)
			c.bye()
			sum := result(t, ended)
			if !sum.Complete || len(sum.Problems) > 0 || sum.Reason != "BYE from the client" {
				t.Errorf("complete %v, reason %q, problems %q", sum.Complete, sum.Reason, sum.Problems)
			}
			checkPair(t, sum)
			checkFolder(t, sum, c)
		})
	}
}

func checkPair(t *testing.T, sum recorder.Summary) {
	t.Helper()
	a, b := wav(t, sum, 0), wav(t, sum, 1)
	if a.Rate != 8000 || len(a.PCM) != len(b.PCM) || a.Seconds() < 2.99 {
		t.Errorf("%d and %d samples at %d Hz", len(a.PCM), len(b.PCM), a.Rate)
	}
	only(t, "label 1", a.PCM, a.Rate, 0)
	only(t, "label 2", b.PCM, b.Rate, 1)
	want := []string{"sip:alice@example.com", "sip:bob@example.com"}
	for i, st := range sum.Streams {
		if st.Party != want[i] || st.Codec != "PCMU" || st.Packets != 150 || st.Label != fmt.Sprint(i+1) ||
			filepath.Base(st.File) != st.Label+".wav" || math.Abs(st.Seconds-a.Seconds()) > 1e-6 {
			t.Errorf("stream %+v", st)
		}
	}
	if len(sum.Parties) != 2 || sum.Parties[0] != (recorder.Party{AOR: "sip:alice@example.com", Name: "Alice"}) {
		t.Errorf("parties %+v", sum.Parties)
	}
}

func checkFolder(t *testing.T, sum recorder.Summary, c *client) {
	t.Helper()
	xml := metadataFor(two.sections)
	if mustRead(t, sum.Folder, "metadata.xml") != xml || mustRead(t, sum.Folder, "metadata-1.xml") != xml {
		t.Error("the metadata files are not what was sent")
	}
	if want := "hVpd7YQgRW2nD22h7q60JQ"; sum.ID != want || !strings.Contains(filepath.Base(sum.Folder), want) {
		t.Errorf("id %q, folder %q, want the session id %s", sum.ID, sum.Folder, want)
	}
	var report struct {
		recorder.Summary
		SDP []struct{ Offer, Answer string }
	}
	if err := json.Unmarshal([]byte(mustRead(t, sum.Folder, "recording.json")), &report); err != nil {
		t.Fatal(err)
	}
	if report.CallID != c.callID || len(report.SDP) != 1 || report.SDP[0].Answer != c.body || !report.Complete || report.End.IsZero() {
		t.Errorf("report %+v", report)
	}
}

func TestPauseIsSilenceInBothFiles(t *testing.T) {
	s, ended := serve(t, nil)
	c := dial(t, s, "udp", 2)
	c.call(two)
	ports := fmt.Sprint(c.remote)
	senders := []*sender{newSender(c, 0, "PCMU", 0, 0), newSender(c, 1, "PCMU", 0, 1)}
	talk := func(total uint64) {
		for i, x := range senders {
			x.talk(100)
			packets(t, s, i, total)
		}
	}
	direct := func(dir string, version int) {
		o := offer{version: version, sections: []section{{label: "1", dir: dir}, {label: "2", dir: dir}}}
		m := c.call(o)
		want := map[string]string{"inactive": "a=inactive", "sendonly": "a=recvonly"}[dir]
		if strings.Count(m.body, want) != 2 || fmt.Sprint(c.remote) != ports {
			t.Errorf("answer to %s:\n%s", dir, m.body)
		}
	}
	talk(100)
	direct("inactive", 1)
	for _, x := range senders {
		x.hold(3)
	}
	direct("sendonly", 2)
	talk(200)
	c.bye()
	sum := result(t, ended)
	for i := range senders {
		w := wav(t, sum, i)
		st := sum.Streams[i]
		only(t, "before", w.Span(st.First, st.First+1.9), w.Rate, i)
		silent(t, "during", w.Span(st.First+2.001, st.First+4.999))
		only(t, "after", w.Span(st.First+5, st.First+6.9), w.Rate, i)
		if len(st.Pauses) != 1 || st.Pauses[0].To == 0 || len(st.Gaps) != 0 {
			t.Errorf("pauses %+v, gaps %+v", st.Pauses, st.Gaps)
		}
	}
	if a, b := wav(t, sum, 0), wav(t, sum, 1); len(a.PCM) != len(b.PCM) {
		t.Errorf("%d and %d samples", len(a.PCM), len(b.PCM))
	}
	if !sum.Complete || sum.Documents != 3 || len(sum.Problems) > 0 {
		t.Errorf("%+v", sum)
	}
}

// A source that stops its clock while it is held must not pull the audio after the
// pause forward.
func TestPauseWithAClockThatStandsStill(t *testing.T) {
	s, ended := serve(t, nil)
	c := dial(t, s, "udp", 1)
	one := offer{sections: []section{{label: "1"}}}
	c.call(one)
	x := newSender(c, 0, "PCMU", 0, 0)
	x.talk(10)
	packets(t, s, 0, 10)
	c.call(offer{version: 1, sections: []section{{label: "1", dir: "inactive"}}})
	var paused float64
	eventually(t, "a second passes", func() bool {
		paused = s.Sessions()[0].Seconds
		return paused > 1
	})
	c.call(offer{version: 2, sections: []section{{label: "1"}}})
	x.talk(10)
	packets(t, s, 0, 20)
	c.bye()
	sum := result(t, ended)
	w := wav(t, sum, 0)
	silent(t, "pause", w.Span(sum.Streams[0].First+0.201, paused-0.05))
	if got := w.Seconds(); got < paused+0.2 {
		t.Errorf("file of %.2f s, want %.2f and more", got, paused+0.2)
	}
}

func TestCodecs(t *testing.T) {
	tests := []struct {
		name, formats, extra string
		pt                   byte
		rate                 int
	}{
		{"PCMU", "0", "", 0, 8000},
		{"PCMA", "8 101", "a=rtpmap:101 telephone-event/8000\r\n", 8, 8000},
		{"G722", "9", "", 9, 16000},
		{"L16", "97", "a=rtpmap:97 L16/16000\r\n", 97, 16000},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, ended := serve(t, nil)
			c := dial(t, s, "udp", 1)
			c.call(offer{sections: []section{{label: "1", formats: tt.formats, extra: tt.extra}}})
			newSender(c, 0, tt.name, tt.pt, 2).talk(100)
			packets(t, s, 0, 100)
			c.bye()
			sum := result(t, ended)
			w := wav(t, sum, 0)
			if w.Rate != tt.rate || w.Seconds() < 1.99 || sum.Streams[0].Codec != tt.name {
				t.Errorf("%d Hz, %.2f s, codec %s", w.Rate, w.Seconds(), sum.Streams[0].Codec)
			}
			only(t, tt.name, w.PCM, w.Rate, 2)
			if !sum.Complete {
				t.Errorf("not complete: %q", sum.Problems)
			}
		})
	}
}

func TestCodecChangeKeepsTheClock(t *testing.T) {
	s, ended := serve(t, nil)
	c := dial(t, s, "udp", 1)
	c.call(offer{sections: []section{{label: "1", formats: "0 9"}}})
	x := newSender(c, 0, "PCMU", 0, 0)
	for range 2 { // its clock is ahead, so that packets which a busy machine takes its time for are not late
		x.talk(1)
		x.hold(9)
	}
	const ahead = 2 * 9.02
	said := x.frames(100)
	y := newSender(c, 0, "G722", 9, 1)
	y.seq, y.ts = x.seq, x.ts
	then := y.frames(100)
	x.burst(said)
	packets(t, s, 0, 102)
	y.burst(then)
	packets(t, s, 0, 202)
	c.bye()
	sum := result(t, ended)
	w := wav(t, sum, 0)
	first := sum.Streams[0].First + ahead
	// The file is as long as the session: on a busy machine, silence follows.
	if w.Rate != 8000 || w.Seconds() < first+3.99 || audio.RMS(w.Span(first+4.1, w.Seconds())) > 0.001 {
		t.Errorf("%d Hz, %.3f s of audio", w.Rate, w.Seconds()-first)
	}
	only(t, "PCMU", w.Span(first, first+1.9), w.Rate, 0)
	only(t, "G722", w.Span(first+2.1, first+3.9), w.Rate, 1)
}

func TestUndecodableIsKeptAsItCame(t *testing.T) {
	s, ended := serve(t, nil)
	c := dial(t, s, "udp", 1)
	c.call(offer{sections: []section{{label: "1", formats: "111", extra: "a=rtpmap:111 opus/48000/2\r\n"}}})
	x := newSender(c, 0, "PCMU", 111, 0)
	var sent []byte
	for i := range 50 {
		p := x.packet([]byte{byte(i), 1, 2, 3}, 111)
		sent = append(sent, p...)
		x.write(p)
		x.seq++
		x.ts += 960
	}
	packets(t, s, 0, 50)
	c.bye()
	sum := result(t, ended)
	st := sum.Streams[0]
	if filepath.Base(st.File) != "1.pcap" || st.Codec != "OPUS" || !sum.Complete {
		t.Fatalf("%+v, %q", st, sum.Problems)
	}
	b := []byte(mustRead(t, st.File))
	if string(b[:4]) != "\xd4\xc3\xb2\xa1" || b[20] != 101 {
		t.Errorf("begins with % x", b[:24])
	}
	var got []byte
	for b = b[24:]; len(b) > 16; {
		n := int(binary.LittleEndian.Uint32(b[8:]))
		ip := b[16 : 16+n]
		if from, to := binary.BigEndian.Uint16(ip[20:]), int(binary.BigEndian.Uint16(ip[22:])); to != c.remote[0] ||
			int(from) != c.media[0].LocalAddr().(*net.UDPAddr).Port || string(ip[12:16]) != "\x7f\x00\x00\x01" {
			t.Fatalf("packet from port %d to port %d", from, to)
		}
		got = append(got, ip[28:]...)
		b = b[16+n:]
	}
	if string(got) != string(sent) {
		t.Error("the packets kept are not those sent")
	}
	if _, err := os.Stat(filepath.Join(sum.Folder, "1.wav")); err == nil {
		t.Error("there is a WAV as well")
	}
}

// A stream may begin with packets of any size: those of L16 in stereo are some kilobytes each.
func TestLargePackets(t *testing.T) {
	s, ended := serve(t, nil)
	c := dial(t, s, "udp", 1)
	c.call(offer{sections: []section{{label: "1", formats: "96", extra: "a=rtpmap:96 L16/48000/2\r\n"}}})
	x := newSender(c, 0, "PCMU", 96, 0)
	for range 5 {
		x.write(x.packet(make([]byte, 24000), 96)) // an eighth of a second
		x.seq++
		x.ts += 6000
	}
	packets(t, s, 0, 4)
	c.bye()
	if sum := result(t, ended); !sum.Complete || sum.Streams[0].First > 0.2 || sum.Streams[0].Octets != 120000 {
		t.Errorf("%+v", sum)
	}
}

func TestEventsAreNotAudio(t *testing.T) {
	s, ended := serve(t, nil)
	c := dial(t, s, "udp", 1)
	c.call(offer{sections: []section{{label: "1", formats: "0 101", extra: "a=rtpmap:101 telephone-event/8000\r\n"}}})
	x := newSender(c, 0, "PCMU", 0, 0)
	x.talk(50)
	for range 2 { // two digits of 100 ms, each told by eight packets
		for range 8 {
			x.write(x.packet([]byte{5, 10, 0, 160}, 101))
			x.seq++
		}
		x.hold(0.1)
	}
	x.talk(50)
	packets(t, s, 0, 116)
	c.bye()
	sum := result(t, ended)
	st := sum.Streams[0]
	if st.Events != 2 || len(st.Gaps) != 0 || !sum.Complete {
		t.Errorf("%d events, gaps %+v, problems %q", st.Events, st.Gaps, sum.Problems)
	}
	w := wav(t, sum, 0)
	silent(t, "digits", w.Span(st.First+1.001, st.First+1.199))
	if audio.RMS(w.Span(st.First+1.3, st.First+2)) < 0.01 {
		t.Error("no audio after the digits")
	}
}
