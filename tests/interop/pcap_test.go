//go:build interop

package interop_test

import (
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"testing"
)

// clip writes a capture that SIPp plays: seconds of G.711 A-law at 30 ms a packet, a tone of that frequency. SIPp puts
// its own addresses and ports over those of the capture.
func clip(t *testing.T, seconds, hertz float64) (file string, packets int) {
	t.Helper()
	const samples = 240
	packets = int(seconds / 0.03)
	var b []byte
	b = binary.LittleEndian.AppendUint32(b, 0xa1b2c3d4)
	b = binary.LittleEndian.AppendUint16(b, 2)
	b = binary.LittleEndian.AppendUint16(b, 4)
	b = append(b, make([]byte, 8)...)
	b = binary.LittleEndian.AppendUint32(b, 65535)
	b = binary.LittleEndian.AppendUint32(b, 1) // Ethernet
	for i := range packets {
		payload := make([]byte, samples)
		for j := range payload {
			at := float64(i*samples+j) / 8000
			payload[j] = alaw(int16(8000 * math.Sin(2*math.Pi*hertz*at)))
		}
		b = appendFrame(b, i, rtp(i, samples, payload))
	}
	file = filepath.Join(t.TempDir(), "clip.pcap")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return file, packets
}

func rtp(i, samples int, payload []byte) []byte {
	h := []byte{0x80, 8, 0, 0}
	if i == 0 {
		h[1] |= 0x80
	}
	binary.BigEndian.PutUint16(h[2:], uint16(i+1))
	h = binary.BigEndian.AppendUint32(h, uint32(i*samples))
	h = binary.BigEndian.AppendUint32(h, 0x5eed5eed)
	return append(h, payload...)
}

// appendFrame adds one captured Ethernet frame with the datagram, 30 ms after the one before.
func appendFrame(b []byte, i int, datagram []byte) []byte {
	udp := binary.BigEndian.AppendUint16(nil, 40000)
	udp = binary.BigEndian.AppendUint16(udp, 40000)
	udp = binary.BigEndian.AppendUint16(udp, uint16(8+len(datagram)))
	udp = append(append(udp, 0, 0), datagram...)
	ip := []byte{0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1}
	binary.BigEndian.PutUint16(ip[2:], uint16(len(ip)+len(udp)))
	frame := append([]byte{0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 2, 8, 0}, append(ip, udp...)...)
	micros := i * 30_000
	b = binary.LittleEndian.AppendUint32(b, uint32(micros/1_000_000))
	b = binary.LittleEndian.AppendUint32(b, uint32(micros%1_000_000))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(frame)))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(frame)))
	return append(b, frame...)
}

// alaw encodes one sample by ITU-T G.711.
func alaw(sample int16) byte {
	mask, v := byte(0xd5), int(sample)>>3
	if v < 0 {
		mask, v = 0x55, -v-1
	}
	segment := 0
	for limit := 0x1f; segment < 8 && v > limit; limit = limit<<1 | 1 {
		segment++
	}
	if segment >= 8 {
		return 0x7f ^ mask
	}
	code := byte(segment << 4)
	if segment < 2 {
		code |= byte(v>>1) & 0x0f
	} else {
		code |= byte(v>>segment) & 0x0f
	}
	return code ^ mask
}

// wave is a WAV file's samples and rate.
func wave(t *testing.T, file string) ([]int16, int) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil || len(b) < 44 || string(b[8:12]) != "WAVE" {
		t.Fatalf("%s is no WAV file: %v", file, err)
	}
	rate := 0
	for at := 12; at+8 <= len(b); {
		size := int(binary.LittleEndian.Uint32(b[at+4:]))
		switch string(b[at : at+4]) {
		case "fmt ":
			if rate = int(binary.LittleEndian.Uint32(b[at+12:])); rate < 8000 {
				t.Fatalf("%s has %d samples a second", file, rate)
			}
		case "data":
			if rate == 0 {
				t.Fatalf("%s has samples of no format", file)
			}
			data := b[at+8 : min(len(b), at+8+size)]
			samples := make([]int16, len(data)/2)
			for i := range samples {
				samples[i] = int16(binary.LittleEndian.Uint16(data[2*i:]))
			}
			return samples, rate
		}
		at += 8 + size + size%2
	}
	t.Fatalf("%s has no samples", file)
	return nil, 0
}

// level is how much of the samples' energy lies at that frequency, 0 to 1 (Goertzel).
func level(samples []int16, rate int, hertz float64) float64 {
	coefficient := 2 * math.Cos(2*math.Pi*hertz/float64(rate))
	var s1, s2, energy float64
	for _, sample := range samples {
		x := float64(sample)
		s1, s2 = x+coefficient*s1-s2, s1
		energy += x * x
	}
	if energy == 0 {
		return 0
	}
	power := s1*s1 + s2*s2 - coefficient*s1*s2
	return power / (energy * float64(len(samples)) / 2)
}

// heard is for how many seconds the tone is in the file, judged in pieces of 100 ms.
func heard(samples []int16, rate int, hertz float64) float64 {
	piece := rate / 10
	seconds := 0.0
	for at := 0; at+piece <= len(samples); at += piece {
		if level(samples[at:at+piece], rate, hertz) > 0.8 {
			seconds += 0.1
		}
	}
	return seconds
}

// silent is for how many seconds the file holds nothing, judged alike.
func silent(samples []int16, rate int) float64 {
	piece := rate / 10
	seconds := 0.0
	for at := 0; at+piece <= len(samples); at += piece {
		quiet := true
		for _, s := range samples[at : at+piece] {
			quiet = quiet && s > -64 && s < 64
		}
		if quiet {
			seconds += 0.1
		}
	}
	return seconds
}
