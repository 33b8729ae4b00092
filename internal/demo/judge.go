package demo

import (
	"fmt"
	"math"

	"sidetrack/internal/audio"
	"sidetrack/internal/recorder"
)

// judge compares one recording with what was said in its call. spoken tells how
// many packets a user sent.
func judge(sum recorder.Summary, attempts []Attempt, spoken func(user string) int64) Recording {
	rec := Recording{
		ID: sum.ID, Folder: sum.Folder, Attempts: attempts, Documents: sum.Documents,
		Streams: []Stream{}, Problems: append([]string{}, sum.Problems...),
	}
	say := func(format string, args ...any) { rec.Problems = append(rec.Problems, fmt.Sprintf(format, args...)) }
	if !sum.Complete {
		say("not complete: %s", sum.Reason)
	}
	if len(attempts) != 2 || attempts[0].Code != refusalCode || attempts[1].Code != 200 {
		say("expected %d from the first SRS and 200 from the second, saw %v", refusalCode, attempts)
	}
	if len(sum.Streams) != 2 || len(sum.Parties) != 2 {
		say("%d streams of %d parties", len(sum.Streams), len(sum.Parties))
		return rec
	}
	rec.Caller, rec.Callee = user(sum.Parties[0].AOR), user(sum.Parties[1].AOR)
	n := number(rec.Caller)
	for i, want := range []expected{
		{"1", rec.Caller, callerVoice(n), spoken(rec.Caller)},
		{"2", rec.Callee, calleeVoice(n), spoken(rec.Callee)},
	} {
		st, problems := want.compare(sum.Streams[i])
		rec.Streams = append(rec.Streams, st)
		rec.Problems = append(rec.Problems, problems...)
	}
	if a, b := rec.Streams[0].Seconds, rec.Streams[1].Seconds; math.Abs(a-b) > .001 {
		say("the files differ in length: %.3f s and %.3f s", a, b)
	}
	return rec
}

// expected is what one file must hold: one party, and nobody else.
type expected struct {
	label, user string
	voice       int
	spoken      int64 // packets
}

// compare tells what is wrong with one party's file.
func (e expected) compare(sum recorder.StreamSummary) (st Stream, wrong []string) {
	st = Stream{Label: sum.Label, Party: user(sum.Party), Codec: sum.Codec, Packets: sum.Packets, Lost: sum.Lost, File: sum.File}
	say := func(format string, args ...any) {
		wrong = append(wrong, fmt.Sprintf("label %s (%s): ", st.Label, st.Party)+fmt.Sprintf(format, args...))
	}
	if st.Label != e.label || st.Party != e.user {
		say("expected label %s of %s", e.label, e.user)
	}
	// Not all of it was said while the SRS listened, but most.
	if int64(sum.Packets) < e.spoken/2 {
		say("%d packets recorded of %d sent", sum.Packets, e.spoken)
	}
	wav, err := audio.ReadWAVFile(sum.File)
	if err != nil {
		say("%v", err)
		return st, wrong
	}
	st.Seconds = wav.Seconds()
	for v := range voices {
		switch heard := audio.Heard(wav.PCM, wav.Rate, v); {
		case v == e.voice%voices && !heard:
			say("its party is not heard")
		case v != e.voice%voices && heard:
			say("another party is heard (voice %d)", v)
		}
	}
	st.Hold, err = hold(wav, sum.Pauses)
	if err != nil {
		say("%v", err)
	}
	return st, wrong
}

// voices is how many different voices there are.
const voices = 8

// hold is the length of the silence that the hold left. The pause that the SRS
// was told of bounds it: copies stop before it begins, and start again after
// it has ended. Where in the file it lies depends on how late the first packet
// came; how long it is does not.
func hold(wav audio.WAV, signalled []recorder.Pause) (seconds float64, err error) {
	if len(signalled) != 1 || signalled[0].To == 0 {
		return 0, fmt.Errorf("one hold was expected, signalled were %v", signalled)
	}
	from, to := silence(wav)
	asked := signalled[0].To - signalled[0].From
	switch {
	case to-from < .75*asked:
		return to - from, fmt.Errorf("not silent during the hold: %.2f s of %.2f s", to-from, asked)
	case from > signalled[0].To || to < signalled[0].From:
		return to - from, fmt.Errorf("silent from %.2f s to %.2f s, but on hold from %.2f s to %.2f s",
			from, to, signalled[0].From, signalled[0].To)
	}
	return to - from, nil
}

// silence is the longest stretch in a file between two sounds, in seconds.
func silence(wav audio.WAV) (from, to float64) {
	const block, floor = .02, .001
	n := int(block * float64(wav.Rate))
	last := -1 // block that was heard last
	for i := 0; (i+1)*n <= len(wav.PCM); i++ {
		if audio.RMS(wav.PCM[i*n:(i+1)*n]) < floor {
			continue
		}
		if start := float64(last+1) * block; last >= 0 && float64(i)*block-start > to-from {
			from, to = start, float64(i)*block
		}
		last = i
	}
	return from, to
}
