package recorder

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"time"

	"sidetrack/internal/audio"
	"sidetrack/internal/sdp"
)

const (
	maxSpans   = 1000 // gaps and pauses told per stream
	quietLimit = 0.1  // seconds of silence without loss that are told as a gap
)

// trackConfig is where a track writes.
type trackConfig struct {
	file  func(extension string) *file // one for each extension
	start time.Time                    // time zero
	local netip.AddrPort               // where the client sends to
}

// track turns the ordered packets of one stream into files: what can be decoded
// into a WAV on the session's clock, everything else into a packet capture.
type track struct {
	cfg     trackConfig
	from    netip.AddrPort // of the last datagram
	formats formats
	time    timeline
	codec   audio.Codec // of the packet decoded last
	decoder audio.Decoder
	convert *audio.Resampler // when the codec's rate is not the file's
	wav     *audio.WAVWriter
	dump    *dump
	pcm     []int16
	spare   []int16

	files   []*file // of wav and dump
	wavFile *file
	taken   bool        // the clerk has no part in them any more
	lasting bool        // they are on the disk when they are closed
	last    string      // encoding name of what was kept last, else of what was offered first
	offered audio.Codec // the first one that can be decoded, for the file of a silent stream

	first     float64 // position of the first audio
	heard     bool    // there was audio
	announced bool    // an event or comfort noise explains silence before the next audio
	missing   uint64  // packets lost since the last audio
	gaps      []Gap
	gapCount  int
	pauses    []Pause
	events    uint64
	eventTS   uint32
	unknown   uint64 // packets of a payload type that the SDP does not have
	excess    uint64 // packets too far ahead of time
	fault     fault  // of the disk
	shifted   float64
}

// offer notes what a stream will be called if nothing of it is ever heard.
func (t *track) offer(list []sdp.Format) {
	for _, s := range list {
		f := newFormat(s)
		if t.last == "" {
			t.last = f.name
		}
		if t.offered.Name == "" && f.use == decode {
			t.offered = f.codec
		}
	}
}

// deliver takes the next packet of the stream; lost packets are missing before it.
func (t *track) deliver(p *packet, lost uint64) {
	t.missing += lost
	f := &t.formats[p.pt]
	switch f.use {
	case decode:
		t.decode(p, f.codec)
	case event:
		t.announced = true
		if t.events == 0 || p.ts != t.eventTS {
			t.events++
			t.eventTS = p.ts
		}
	case noise:
		t.announced = true
	case unknown:
		t.unknown++
		t.keep(p)
	case keep:
		t.keep(p)
	}
}

func (t *track) decode(p *packet, c audio.Codec) {
	t.use(c)
	length := c.Ticks(c.PayloadFrames(p.to - p.from))
	pos, _, ok := t.time.place(p.ts, length, p.at)
	if !ok {
		t.excess++
		return
	}
	t.pcm = t.decoder.Decode(t.pcm[:0], p.payload())
	if t.open(c); t.wav == nil || len(t.pcm) == 0 {
		return
	}
	pcm := t.fit(t.pcm)
	t.append(pos*int64(t.wav.Rate())/int64(c.Clock), pcm)
}

// use makes the decoder that of codec c.
func (t *track) use(c audio.Codec) {
	if t.decoder != nil && c == t.codec {
		return
	}
	if t.time.clock != c.Clock {
		t.time.reset(c.Clock)
	}
	t.codec, t.decoder, t.convert = c, c.NewDecoder(), nil
	if t.wav != nil && t.wav.Rate() != c.Rate {
		t.convert = audio.NewResampler(c.Rate, t.wav.Rate())
	}
}

// open makes sure that there is a WAV file; its format is the first codec's.
func (t *track) open(c audio.Codec) {
	if t.wavFile != nil {
		return
	}
	t.wavFile = t.file(".wav")
	var err error
	t.wav, err = audio.NewWAV(t.wavFile, c.Rate, c.Channels)
	t.failed(err)
}

func (t *track) file(extension string) *file {
	f := t.cfg.file(extension)
	f.direct, f.lasts = t.taken, t.lasting
	t.files = append(t.files, f)
	return f
}

// take takes the files from the clerk, which must be through with them. With lasting
// set they are on the disk when they are closed.
func (t *track) take(lasting bool) {
	t.taken, t.lasting = true, lasting
	for _, f := range t.files {
		f.direct, f.lasts = true, lasting
	}
}

// fit converts decoded samples to the rate and channels of the file.
func (t *track) fit(pcm []int16) []int16 {
	if t.codec.Channels != t.wav.Channels() || t.convert != nil {
		pcm = remix(pcm, t.codec.Channels, 1)
		if t.convert != nil {
			t.spare = t.convert.Convert(t.spare[:0], pcm)
			pcm = t.spare
		}
		pcm = remix(pcm, 1, t.wav.Channels())
	}
	return pcm
}

// remix averages or repeats channels.
func remix(pcm []int16, from, to int) []int16 {
	if from == to {
		return pcm
	}
	out := make([]int16, 0, len(pcm)/from*to)
	for ; len(pcm) >= from; pcm = pcm[from:] {
		sum := 0
		for _, s := range pcm[:from] {
			sum += int(s)
		}
		for range to {
			out = append(out, int16(sum/from))
		}
	}
	return out
}

// append puts samples at a frame position: silence before them, and the part of
// them that would overlap what is there already is left out.
func (t *track) append(pos int64, pcm []int16) {
	silence := pos - t.wav.Frames()
	if silence < 0 {
		cut := int(min(int64(len(pcm)), -silence*int64(t.wav.Channels())))
		pcm, silence = pcm[cut:], 0
	}
	t.note(float64(silence) / float64(t.wav.Rate()))
	err := t.wav.Silence(silence)
	if err == nil {
		err = t.wav.Write(pcm)
	}
	t.failed(err)
}

// note records what the silence before the next audio means.
func (t *track) note(silence float64) {
	at := t.seconds()
	switch {
	case !t.heard:
		t.heard, t.first = true, at+silence
	case t.missing > 0,
		silence >= quietLimit && !t.announced && !t.pausedWithin(at, at+silence):
		t.gap(Gap{At: at, Seconds: silence, Lost: t.missing})
	}
	t.missing, t.announced = 0, false
}

func (t *track) gap(g Gap) {
	t.gapCount++
	if len(t.gaps) < maxSpans {
		t.gaps = append(t.gaps, g)
	}
}

func (t *track) pausedWithin(from, to float64) bool {
	for i := len(t.pauses) - 1; i >= 0; i-- {
		p := t.pauses[i]
		if p.From <= to && (p.To == 0 || p.To >= from) {
			return true
		}
	}
	return false
}

// pause and resume tell what was signalled.
func (t *track) pause(at time.Duration) {
	if n := len(t.pauses); n < maxSpans && (n == 0 || t.pauses[n-1].To != 0) {
		t.pauses = append(t.pauses, Pause{From: at.Seconds()})
		t.announced = true
	}
}

func (t *track) resume(at time.Duration) {
	if n := len(t.pauses); n > 0 && t.pauses[n-1].To == 0 {
		t.pauses[n-1].To = at.Seconds()
		t.time.resume, t.announced = true, true
	}
}

// keep appends the packet as it is to the capture.
func (t *track) keep(p *packet) {
	if t.dump == nil {
		t.dump = newDump(t.file(".pcap"), t.cfg.start)
	}
	t.missing = 0
	t.last = t.formats[p.pt].name
	t.failed(t.dump.write(p.raw, t.from, t.cfg.local, p.at))
}

func (t *track) failed(err error) {
	if err != nil {
		t.fault.set(fmt.Errorf("writing: %w", err))
	}
}

// seconds is the length of the WAV file so far.
func (t *track) seconds() float64 {
	if t.wav == nil {
		return 0
	}
	return float64(t.wav.Frames()) / float64(t.wav.Rate())
}

// sourceChanged starts a new timestamp base; the audio before it stays where it is.
func (t *track) sourceChanged() {
	t.time.reset(t.time.clock)
	t.decoder = nil
}

// finish makes the WAV as long as asked, aligned by shift seconds, and closes
// the files.
func (t *track) finish(length, shift float64) {
	if t.wav != nil {
		t.shift(shift)
		t.failed(t.wav.Silence(int64(length*float64(t.wav.Rate())+0.5) - t.wav.Frames()))
		t.failed(t.wav.Close())
	}
	if t.dump != nil {
		t.dump.close()
	}
}

// shift moves the whole file. A move that the file has no room for is left out: it
// is a matter of milliseconds.
func (t *track) shift(by float64) {
	frames := int64(math.Round(by * float64(t.wav.Rate())))
	if frames == 0 {
		return
	}
	err := t.wav.Shift(frames)
	if errors.Is(err, audio.ErrWAVShift) {
		return
	}
	t.failed(err)
	t.shifted = by
	t.first += by
	for i := range t.gaps {
		t.gaps[i].At += by
	}
}

// name is the codec heard last, else the first that was offered.
func (t *track) name() string {
	if t.codec.Name != "" {
		return t.codec.Name
	}
	return t.last
}

// location is the path of the audio, else of what was kept as it is.
func (t *track) location() string {
	if path := t.wavFile.location(); path != "" || t.dump == nil {
		return path
	}
	return t.dump.file.location()
}
