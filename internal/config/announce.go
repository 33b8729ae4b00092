package config

import (
	"fmt"
	"os"
	"slices"
	"time"

	"sidetrack/internal/audio"
	"sidetrack/policy"
)

// Bounds of an announcement's file.
const (
	maxAnnounce     = time.Minute
	maxAnnounceFile = 32 << 20
)

// announce reads the name of a WAV file, or that and more.
func (d *decoder) announce(c cursor) *policy.Announcement {
	a := &policy.Announcement{At: policy.AnnounceAnswer, Side: policy.TracksCaller}
	file := func(c cursor) {
		if a.File = d.fileName(c); a.File == "" {
			return
		}
		var err error
		if a.PCM, a.Rate, err = readAnnouncement(a.File); err != nil {
			c.failf("%v", err)
		}
	}
	if c.n.kind == scalar {
		file(c)
	} else if !c.read(fields{
		{"file", file},
		{"at", func(c cursor) { choose(c, &a.At, policy.AnnounceAnswer, policy.AnnounceStart) }},
		{"side", func(c cursor) { choose(c, &a.Side, policy.TracksBoth, policy.TracksCaller, policy.TracksCallee) }},
		{"copy", flag(&a.Copy)},
	}) {
		return nil
	}
	if a.File == "" && c.n.kind != broken {
		c.failf("names no file; write the name of a WAV file")
	}
	return a
}

// kinds reads which m-lines are copied.
func (c cursor) kinds() (list []string) {
	c.some("audio, video or text")
	for _, item := range c.words("audio, video or text") {
		kind, ok := item.oneOf("audio", "video", "text")
		switch {
		case !ok:
		case slices.Contains(list, kind):
			item.failf("%s is listed twice", item.show())
		default:
			list = append(list, kind)
		}
	}
	return list
}

// readAnnouncement reads a WAV file of 16-bit PCM as mono.
func readAnnouncement(name string) (pcm []int16, rate int, err error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, 0, fileError(name, err)
	}
	if info.Size() > maxAnnounceFile {
		return nil, 0, fmt.Errorf("file %s has more than %s", name, sizeText(maxAnnounceFile))
	}
	wav, err := audio.ReadWAVFile(name)
	switch {
	case err != nil:
		return nil, 0, fmt.Errorf("file %s cannot be played: %w; write a WAV file of 16-bit PCM", name, err)
	case len(wav.PCM) == 0:
		return nil, 0, fmt.Errorf("file %s holds no audio", name)
	case wav.Rate < 8000 || wav.Rate > 48000:
		return nil, 0, fmt.Errorf("file %s has %d Hz; write one of 8000 to 48000 Hz", name, wav.Rate)
	case wav.Seconds() > maxAnnounce.Seconds():
		return nil, 0, fmt.Errorf("file %s lasts %.0f s; write one of %s at most", name, wav.Seconds(), short(maxAnnounce))
	}
	return wav.Mono(), wav.Rate, nil
}

// announceWords says what is heard, by whom and when.
func announceWords(a *policy.Announcement) string {
	who := "both sides hear"
	if a.Side != policy.TracksBoth {
		who = "the " + string(a.Side) + " hears"
	}
	when := "before the call"
	if a.At == policy.AnnounceStart {
		when = "when it is recorded"
	}
	return fmt.Sprintf("%s %s %s (%.1f s)", who, a.File, when, float64(len(a.PCM))/float64(max(a.Rate, 1)))
}
