//go:build interop

package interop_test

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"sidetrack/forker"
)

// loud makes payloads of a codec that are heard.
type loud struct {
	codec forker.Codec
	pt    uint8
	ticks uint32 // of a packet
	rate  int    // samples of the decoder's PCM per second
	say   func(i int) []byte
	// Who decodes: FFmpeg by that format, or a library of the system by the name that the script knows.
	ffmpeg, library string
	settles         int // milliseconds under the mask after which nothing is heard any more
	rest            int // what is taken for nothing, of 32768
}

func noise(n int) func(int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	return func(int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}
}

// opusFile plays the packets that libopus has made of a tone, and now and then one of a pause in them (DTX, RFC 6716 §3.2.1).
func opusFile(t *testing.T, mode string) func(int) []byte {
	raw, err := os.ReadFile(filepath.Join("..", "..", "internal", "audio", "testdata", mode+".opus"))
	if err != nil {
		t.Fatal(err)
	}
	var packets [][]byte
	for len(raw) >= 2 {
		n := int(binary.BigEndian.Uint16(raw))
		packets, raw = append(packets, raw[2:2+n]), raw[2+n:]
	}
	return func(i int) []byte {
		p := packets[i%len(packets)]
		if i%10 == 9 {
			return p[:1]
		}
		return p
	}
}

// The silence that stands for a masked or paused stream is silence to decoders that are not ours, in the middle of a
// stream, in each codec of which silence is known, and it lasts as long as what it stands for.
func TestSilenceIsSilenceToOtherDecoders(t *testing.T) {
	frames := noise(20)
	for name, l := range map[string]loud{
		"PCMU": {codec: forker.Codec{Name: "PCMU", Clock: 8000}, ticks: 160, rate: 8000, say: noise(160), ffmpeg: "mulaw"},
		"PCMA": {codec: forker.Codec{Name: "PCMA", Clock: 8000}, ticks: 160, rate: 8000, say: noise(160), ffmpeg: "alaw", rest: 8},
		"L16":  {codec: forker.Codec{Name: "L16", Clock: 16000}, ticks: 320, rate: 16000, say: noise(640), ffmpeg: "s16be"},
		"G722": {codec: forker.Codec{Name: "G722", Clock: 8000}, ticks: 160, rate: 16000, say: noise(160), ffmpeg: "g722", settles: 400, rest: 64},
		"G729": {codec: forker.Codec{Name: "G729", Clock: 8000}, ticks: 160, rate: 8000, say: frames, ffmpeg: "g729", settles: 100, rest: 40},
		"G729 and its comfort noise": {codec: forker.Codec{Name: "G729", Clock: 8000}, ticks: 160, rate: 8000, say: func(i int) []byte {
			return frames(i)[:[]int{20, 20, 20, 12, 2}[i%5]]
		}, library: "g729", settles: 100, rest: 40},
		"Opus celt":   {codec: forker.Codec{Name: "opus", Clock: 48000, Channels: 2}, ticks: 960, rate: 48000, say: opusFile(t, "celt"), library: "opus", settles: 20},
		"Opus silk":   {codec: forker.Codec{Name: "opus", Clock: 48000, Channels: 2}, ticks: 960, rate: 48000, say: opusFile(t, "silk"), library: "opus", settles: 20},
		"Opus hybrid": {codec: forker.Codec{Name: "opus", Clock: 48000, Channels: 2}, ticks: 960, rate: 48000, say: opusFile(t, "hybrid"), library: "opus", settles: 20},
	} {
		for what, hide := range map[string]func(*forker.Tap){
			"mask": func(tap *forker.Tap) { tap.Mask(forker.PauseSilence) }, "pause": (*forker.Tap).Pause,
		} {
			if what == "pause" && l.settles != 20 { // the same way; one codec will do
				continue
			}
			t.Run(name+" "+what, func(t *testing.T) {
				l.pt = 96
				said, payloads := l.hidden(t, hide)
				samples := l.decode(t, payloads)
				loudest := func(pcm []int16) (top int) {
					for _, v := range pcm {
						top = max(top, int(v), -int(v))
					}
					return top
				}
				heard := l.decode(t, payloads[:said]) // how long that is depends on the codec's pauses
				from := len(heard) + l.settles*l.rate/1000
				if before, hidden := loudest(samples[:len(heard)]), loudest(samples[from:]); before < 1000 || hidden > l.rest {
					t.Errorf("at most %d before, %d of 32768 under it", before, hidden)
				}
				if all := l.decode(t, l.spoken(100)); len(all) != len(samples) {
					t.Errorf("%d samples, of what was said %d", len(samples), len(all))
				}
			})
		}
	}
}

// spoken gives payloads like those of hidden, none of them hidden.
func (l loud) spoken(n int) (all [][]byte) {
	for i := range n {
		all = append(all, l.say(i))
	}
	return all
}

// hidden sends a hundred packets through a tap, the second half hidden, and gives the payloads that come out.
func (l loud) hidden(t *testing.T, hide func(*forker.Tap)) (said int, payloads [][]byte) {
	t.Helper()
	host := netip.AddrFrom4([4]byte{127, 91, byte(os.Getpid() >> 8), byte(os.Getpid())}) // nobody else binds ports there
	e, err := forker.New(forker.Config{Listen: host, PortMin: 26100, PortMax: 26199})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	socket := func() *net.UDPConn {
		c, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	caller, srs := socket(), socket()
	addr := func(c *net.UDPConn) netip.AddrPort { return c.LocalAddr().(*net.UDPAddr).AddrPort() }
	relay := e.Open()
	if err := relay.SetStreams(1); err != nil {
		t.Fatal(err)
	}
	relay.SetRemote(forker.SideA, 0, forker.Remote{RTP: addr(caller), RTPKind: true, Sends: true})
	tap, err := relay.Fork(0, forker.AB, forker.TapConfig{Label: "1", Pause: forker.PauseSilence})
	if err != nil {
		t.Fatal(err)
	}
	tap.SetCodecs(map[uint8]forker.Codec{l.pt: l.codec})
	tap.SendTo(addr(srs), netip.AddrPort{}, map[uint8]uint8{l.pt: l.pt})
	to, _ := relay.Local(forker.SideA, 0)
	for i := range 100 {
		if i == 50 {
			hide(tap)
		}
		b := make([]byte, 12, 1500)
		b[0], b[1] = 0x80, l.pt
		binary.BigEndian.PutUint16(b[2:], uint16(i))
		binary.BigEndian.PutUint32(b[4:], uint32(i)*l.ticks)
		if _, err := caller.WriteToUDPAddrPort(append(b, l.say(i)...), to); err != nil {
			t.Fatal(err)
		}
		copied := make([]byte, 1500)
		_ = srs.SetReadDeadline(time.Now().Add(20 * time.Second))
		n, _, err := srs.ReadFromUDPAddrPort(copied)
		if err != nil {
			t.Fatal(err)
		}
		payloads = append(payloads, copied[12:n])
	}
	return 50, payloads
}

// libraries decodes with the codecs' own libraries; 3 tells that one is missing.
const libraries = `
import ctypes, struct, sys
codec, source, sink = sys.argv[1], sys.stdin.buffer, sys.stdout.buffer
try:
    lib = ctypes.CDLL({"opus": "libopus.so.0", "g729": "libbcg729.so.0"}[codec])
except OSError:
    sys.exit(3)
if codec == "opus":
    lib.opus_decoder_create.restype = ctypes.c_void_p
    state = ctypes.c_void_p(lib.opus_decoder_create(48000, 1, None))
    pcm = (ctypes.c_int16 * 5760)()
    def decode(payload):
        n = lib.opus_decode(state, payload, len(payload), pcm, 5760, 0)
        return pcm[:n] if n > 0 else []
else:
    lib.initBcg729DecoderChannel.restype = ctypes.c_void_p
    state = ctypes.c_void_p(lib.initBcg729DecoderChannel())
    pcm = (ctypes.c_int16 * 80)()
    def decode(payload):
        out = []
        while payload:
            frame, payload = payload[:10], payload[10:]
            short = len(frame) < 10
            lib.bcg729Decoder(state, frame, ctypes.c_uint8(len(frame)), ctypes.c_uint8(0), ctypes.c_uint8(short), ctypes.c_uint8(0), pcm)
            out += pcm[:]
        return out
while head := source.read(2):
    out = decode(source.read(struct.unpack("!H", head)[0]))
    sink.write(struct.pack("<%dh" % len(out), *out))
`

// decode has somebody else decode the payloads.
func (l loud) decode(t *testing.T, payloads [][]byte) (pcm []int16) {
	t.Helper()
	var cmd *exec.Cmd
	in := &bytes.Buffer{}
	if l.library != "" {
		cmd = exec.Command("/usr/bin/python3", "-c", libraries, l.library)
		for _, p := range payloads {
			in.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(p))), p...))
		}
	} else {
		if _, err := exec.LookPath("ffmpeg"); err != nil {
			t.Skip("ffmpeg is not installed; it brings a hundred packages and is asked only where it is there already")
		}
		args := []string{"-v", "error", "-f", l.ffmpeg}
		if l.ffmpeg == "mulaw" || l.ffmpeg == "alaw" || l.ffmpeg == "s16be" {
			args = append(args, "-ar", map[bool]string{true: "16000", false: "8000"}[l.rate == 16000], "-ac", "1")
		}
		cmd = exec.Command("ffmpeg", append(args, "-i", "-", "-f", "s16le", "-")...)
		in.Write(bytes.Join(payloads, nil))
	}
	complaints := &bytes.Buffer{}
	cmd.Stdin, cmd.Stderr = in, complaints
	raw, err := cmd.Output()
	switch exit, _ := err.(*exec.ExitError); {
	case exit != nil && exit.ExitCode() == 3:
		t.Skip("the codec's library is not installed; it is asked only where it is there already")
	case err != nil:
		t.Fatal(err, complaints)
	}
	for ; len(raw) > 1; raw = raw[2:] {
		pcm = append(pcm, int16(binary.LittleEndian.Uint16(raw)))
	}
	return pcm
}
