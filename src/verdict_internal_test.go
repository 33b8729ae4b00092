package src

import (
	"slices"
	"testing"
	"time"

	"sidetrack/metadata"
)

func TestJudge(t *testing.T) {
	stream := func(party metadata.PartyRole, in, copied, lost uint64) StreamVerdict {
		return StreamVerdict{StreamView: StreamView{Party: party, PacketsIn: in, PacketsCopied: copied}, Lost: lost}
	}
	a := func(in, copied, lost uint64) StreamVerdict { return stream(metadata.Caller, in, copied, lost) }
	mix := func(caller, callee uint64) StreamVerdict {
		v := stream(metadata.Both, 100, 100, 0)
		v.Heard = [2]uint64{caller, callee}
		return v
	}
	b := func(in, copied, lost uint64) StreamVerdict { return stream(metadata.Callee, in, copied, lost) }
	with := func(s StreamVerdict, change func(*StreamVerdict)) StreamVerdict {
		change(&s)
		return s
	}
	for _, tt := range []struct {
		name    string
		seconds int
		streams []StreamVerdict
		alarms  []Alarm
		result  Result
	}{
		{"whole", 60, []StreamVerdict{a(3000, 3000, 0), b(3000, 3000, 0)}, nil, Complete},
		{"nobody spoke", 60, []StreamVerdict{a(0, 0, 0), b(0, 0, 0)}, []Alarm{AlarmNoRTP}, Complete},
		{"too short to tell", 1, []StreamVerdict{a(0, 0, 0), b(0, 0, 0)}, nil, Complete},
		{"callee silent", 60, []StreamVerdict{a(3000, 3000, 0), b(0, 0, 0)}, []Alarm{AlarmOneLegSilent}, Complete},
		{"caller silent on one of two lines", 60, []StreamVerdict{a(0, 0, 0), b(9, 9, 0), a(9, 9, 0)}, nil, Complete},
		{"a mix", 60, []StreamVerdict{mix(50, 50)}, nil, Complete},
		{"a mix of one", 60, []StreamVerdict{mix(50, 0)}, []Alarm{AlarmOneLegSilent}, Complete},
		{"caller only wanted", 60, []StreamVerdict{a(3000, 3000, 0)}, nil, Complete},
		{"all lost", 1, []StreamVerdict{a(50, 0, 50), b(50, 0, 50)}, []Alarm{AlarmRecorderDeaf}, Missed},
		{"all declined", 1, []StreamVerdict{with(a(50, 0, 0), func(s *StreamVerdict) { s.DroppedBy = map[string]uint64{"unmapped-pt": 50} })},
			[]Alarm{AlarmRecorderDeaf}, Missed},
		{"inactive by the SRS", 1, []StreamVerdict{with(a(50, 0, 0), func(s *StreamVerdict) { s.Gaps = []Gap{{Cause: "srs"}} })},
			[]Alarm{AlarmRecorderDeaf}, Missed},
		{"paused all the time", 60, []StreamVerdict{with(a(50, 0, 0), func(s *StreamVerdict) { s.Gaps = []Gap{{Cause: "operator"}} })}, nil, Complete},
		{"one stream all lost", 60, []StreamVerdict{a(3000, 3000, 0), with(b(100, 0, 100), func(s *StreamVerdict) { s.Label, s.meant = "2", true })}, nil, Partial},
		{"one stream declined", 60, []StreamVerdict{a(3000, 3000, 0), b(3000, 3000, 0), b(100, 0, 100)}, nil, Complete},
		{"one stream never wanted", 60, []StreamVerdict{a(3000, 3000, 0), b(3000, 3000, 0), b(100, 0, 0)}, nil, Complete},
		{"some lost", 60, []StreamVerdict{a(3000, 2990, 10), b(3000, 3000, 0)}, nil, Complete},
		{"unreachable every second", 10, []StreamVerdict{with(a(500, 490, 10), func(s *StreamVerdict) { s.Unreachable = 10 })}, []Alarm{AlarmRecorderDeaf}, Partial},
		{"unreachable at the end", 60, []StreamVerdict{with(a(3000, 2998, 2), func(s *StreamVerdict) { s.Unreachable = 4 })}, nil, Complete},
		{"never taken", -1, []StreamVerdict{a(50, 0, 50)}, nil, Complete},
	} {
		v := Verdict{Taken: time.Unix(1, 0), Recorded: time.Duration(tt.seconds) * time.Second, Streams: tt.streams}
		if tt.seconds < 0 {
			v.Taken = time.Time{}
		}
		if result, why := v.judge(Complete); result != tt.result || (why == "") != (result == Complete) || !slices.Equal(v.Alarms, tt.alarms) {
			t.Errorf("%s: %s (%s), alarms %v", tt.name, result, why, v.Alarms)
		}
	}
}

func TestGapsAreBounded(t *testing.T) {
	var g gaps
	at := func(n int) time.Time { return time.Unix(int64(n), 0) }
	g.note("hold", at(1))
	g.note("hold", at(2))
	g.note("operator", at(3))
	g.note("", at(4))
	g.note("", at(5))
	want := []Gap{{From: at(1), To: at(3), Cause: "hold"}, {From: at(3), To: at(4), Cause: "operator"}}
	if !slices.Equal(g.all, want) {
		t.Errorf("%+v", g.all)
	}
	for i := range 3 * maxGaps {
		g.note("hold", at(10+2*i))
		g.note("", at(11+2*i))
	}
	if len(g.all) != maxGaps || g.more != 2*maxGaps+2 || g.all[maxGaps-1].To.IsZero() {
		t.Errorf("%d gaps and %d more, the last %+v", len(g.all), g.more, g.all[len(g.all)-1])
	}
}
