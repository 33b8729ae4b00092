package metadata_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"sidetrack/metadata"
)

// step is one document of a scenario.
type step struct {
	name   string
	at     time.Duration
	change func(s *metadata.Snapshot)
	opts   []metadata.Option
}

func hold(caller, callee bool) func(*metadata.Snapshot) {
	return func(s *metadata.Snapshot) {
		s.Streams = slices.Clone(s.Streams)
		s.Streams[0].Caller.Sends, s.Streams[0].Callee.Sends = caller, callee
	}
}

func end(s *metadata.Snapshot) {
	s.State, s.Ended = metadata.CallEnded, after(40*time.Second)
	s.Reasons = []metadata.Reason{{Protocol: "Q.850", Cause: 16, Text: "Normal call clearing"}}
}

var (
	start   = step{name: "start", at: 100 * time.Millisecond}
	held    = step{name: "held by callee", at: 10 * time.Second, change: hold(false, true)}
	resumed = step{name: "resumed", at: 20 * time.Second, change: hold(true, true)}
	ended   = step{name: "ended", at: 41 * time.Second, change: end}
)

type scenario struct {
	name    string
	config  metadata.BuilderConfig
	first   func(s *metadata.Snapshot)
	streams []metadata.LabeledStream
	steps   []step
}

func extensions(t testing.TB, xml string) []metadata.Extension {
	t.Helper()
	x, err := metadata.ParseExtensions(xml)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func nameIDs(t testing.TB, xml string) []metadata.NameID {
	t.Helper()
	n, err := metadata.ParseNameIDs(xml)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func scenarios(t testing.TB) []scenario {
	return []scenario{
		{name: "basic", streams: both(), steps: []step{start, held, {name: "held by both", at: 15 * time.Second, change: hold(false, false)}, resumed, ended}},
		{name: "caller-only", streams: both()[:1], steps: []step{start, ended}},
		{name: "callee-only", streams: []metadata.LabeledStream{{Label: "1", Party: metadata.Callee, Active: true}}, steps: []step{start, held}},
		{name: "early", streams: both(), first: func(s *metadata.Snapshot) {
			s.State, s.Answered, s.SessionID = metadata.CallEarly, time.Time{}, "not-a-session-id"
		}, steps: []step{
			{name: "ringing", at: -time.Second},
			{name: "answered", at: time.Second, change: func(s *metadata.Snapshot) { s.State, s.Answered = metadata.CallAnswered, t0 }},
		}},
		{name: "transfer", streams: both(), steps: []step{start,
			{name: "to carol", at: 10 * time.Second, change: func(s *metadata.Snapshot) {
				s.Callee = metadata.Party{AOR: "sip:carol@example.org", Name: "Carol"}
			}},
			{name: "and back", at: 20 * time.Second, change: func(s *metadata.Snapshot) { s.Callee = metadata.Party{AOR: "sip:bob@example.net"} }},
			ended}},
		{name: "operator", streams: both(), config: metadata.BuilderConfig{
			Group:             "sales & <service>",
			GroupExtensions:   extensions(t, `<cc:id xmlns:cc="urn:example:cc">17</cc:id>`),
			SessionExtensions: extensions(t, `<code>x &amp; y</code>`),
			Caller:            nameIDs(t, `<nameID aor="sip:1@x"><name xml:lang="en">One</name></nameID><nameID aor="tel:+1555"/>`),
		}, steps: []step{start, {name: "renamed", at: time.Second, change: func(s *metadata.Snapshot) {
			s.Caller.AOR = "sip:other@example.com"
			s.Callee.Name = "Robert"
		}}, ended}},
		{name: "mixed", streams: []metadata.LabeledStream{{Label: "1", Party: metadata.Both, Active: true}}, steps: []step{start, held,
			{name: "held by both", at: 15 * time.Second, change: hold(false, false)}, resumed,
			{name: "to carol", at: 25 * time.Second, change: func(s *metadata.Snapshot) {
				s.Callee = metadata.Party{AOR: "sip:carol@example.org", Name: "Carol"}
			}}, ended}},
		{name: "recording-stopped", streams: both(), steps: []step{start,
			{name: "stopped", at: 10 * time.Second, opts: []metadata.Option{metadata.RecordingEnds()}}}},
		{name: "video-added", streams: both(), steps: []step{start,
			{name: "video", at: 10 * time.Second, change: func(s *metadata.Snapshot) {
				s.Streams = append(slices.Clone(s.Streams), metadata.MediaStream{Index: 1, Kind: "video", Caller: metadata.Flow{Sends: true}})
			}}}},
	}
}

// play returns the documents of a scenario.
func (sc scenario) play() (docs []*metadata.Recording) {
	cfg := sc.config
	if cfg.IDs == nil {
		cfg.IDs = counter()
	}
	b := metadata.NewBuilder(cfg)
	s, streams := call(), sc.streams
	if sc.first != nil {
		sc.first(&s)
	}
	for _, st := range sc.steps {
		if st.change != nil {
			st.change(&s)
		}
		if len(s.Streams) > 1 {
			streams = append(slices.Clone(sc.streams), metadata.LabeledStream{Label: "3", Party: metadata.Caller, Index: 1, Active: true},
				metadata.LabeledStream{Label: "4", Party: metadata.Callee, Index: 1, Active: true})
		}
		docs = append(docs, b.Complete(s, streams, after(st.at), st.opts...))
	}
	return docs
}

func labelsOf(r *metadata.Recording) (labels []string) {
	for _, s := range r.Streams {
		labels = append(labels, s.Label)
	}
	return labels
}

// TestBuilder holds each document of the scenarios to its golden file, and to
// Verify with the labels that its SDP would have.
func TestBuilder(t *testing.T) {
	for _, sc := range scenarios(t) {
		t.Run(sc.name, func(t *testing.T) {
			for i, r := range sc.play() {
				doc := document(t, r, labelsOf(r))
				golden(t, fmt.Sprintf("%s-%d.xml", sc.name, i+1), doc)
			}
		})
	}
}

// TestBuilderSchema holds every complete and every partial document to the
// schema.
func TestBuilderSchema(t *testing.T) {
	lint := xmllint(t)
	for _, sc := range scenarios(t) {
		t.Run(sc.name, func(t *testing.T) {
			before := &metadata.Recording{}
			for _, r := range sc.play() {
				for _, x := range []*metadata.Recording{r, metadata.Diff(before.Told(), r)} {
					if err := lint(document(t, x, nil)); err != nil {
						t.Error(err)
					}
				}
				before = r
			}
		})
	}
}

// TestPartialLeadsToComplete: what a reader merges of partial documents is what
// the complete one says.
func TestPartialLeadsToComplete(t *testing.T) {
	for _, sc := range scenarios(t) {
		t.Run(sc.name, func(t *testing.T) {
			var state *metadata.Recording
			for i, r := range sc.play() {
				update := r
				if i > 0 {
					update = metadata.Diff(state.Told(), r)
					if update.Mode() != metadata.Partial {
						t.Fatal("a difference is not partial")
					}
				}
				if state = metadata.Merge(state, update); !reflect.DeepEqual(state, r) {
					t.Fatalf("document %d: merged\n%+v\nwant\n%+v", i+1, state, r)
				}
				if d := metadata.Diff(state.Told(), r); !d.Empty() {
					t.Errorf("document %d differs from itself: %+v", i+1, d)
				}
			}
		})
	}
}

// TestHoldIsSmall: hold changes the two participantstreamassoc and nothing else
// (RFC 8068 §3.2.2).
func TestHoldIsSmall(t *testing.T) {
	docs := scenario{streams: both(), steps: []step{start, held}}.play()
	d := metadata.Diff(docs[0].Told(), docs[1])
	if len(d.ParticipantStreamAssocs) != 2 || len(d.Groups)+len(d.Sessions)+len(d.Participants)+len(d.Streams)+
		len(d.SessionRecordingAssocs)+len(d.ParticipantSessionAssocs) != 0 {
		t.Errorf("got %+v", d)
	}
	if len(docs[1].Senders("1")) != 0 || len(docs[1].Senders("2")) != 1 {
		t.Error("the held party is told to send")
	}
}

// TestIdentifiersAreStable: over all changes a participant, a stream and the
// session keep their identifiers, and times once told do not move.
func TestIdentifiersAreStable(t *testing.T) {
	docs := scenario{streams: both(), steps: []step{start, held, resumed, ended, ended}}.play()
	first := docs[0]
	for i, r := range docs[1:] {
		if r.Sessions[0].ID != first.Sessions[0].ID || !r.Sessions[0].Start.Equal(first.Sessions[0].Start) {
			t.Errorf("document %d: session changed", i+2)
		}
		for j := range first.Participants {
			if !reflect.DeepEqual(r.Participants[j], first.Participants[j]) {
				t.Errorf("document %d: participant %d changed", i+2, j)
			}
		}
		if !reflect.DeepEqual(r.Streams, first.Streams) {
			t.Errorf("document %d: streams changed", i+2)
		}
		for j, a := range r.ParticipantSessionAssocs {
			if !a.Associated.Equal(first.ParticipantSessionAssocs[j].Associated) {
				t.Errorf("document %d: participant %d joined at another time", i+2, j)
			}
		}
	}
	if !reflect.DeepEqual(docs[3], docs[4]) {
		t.Error("telling the end again changes it")
	}
}

// TestEndTellsTheVoices: the last document still says who is under which label,
// also when the call reports its streams as silent by then.
func TestEndTellsTheVoices(t *testing.T) {
	docs := scenario{streams: both(), steps: []step{start, {name: "ended", at: 41 * time.Second, change: func(s *metadata.Snapshot) {
		end(s)
		hold(false, false)(s)
	}}}}.play()
	for label, aor := range map[string]string{"1": "sip:alice@example.com", "2": "sip:bob@example.net"} {
		p := docs[1].Senders(label)
		if len(p) != 1 || p[0].NameIDs[0].AOR != aor {
			t.Errorf("label %s: %+v, want %s", label, p, aor)
		}
	}
}

func TestTransferKeepsWhoStays(t *testing.T) {
	docs := scenarios(t)[4].play()
	before, carol, back := docs[0], docs[1], docs[2]
	if before.Participants[0].ID != carol.Participants[0].ID || len(carol.Participants) != 3 {
		t.Errorf("participants: %+v", carol.Participants)
	}
	if before.Streams[0].ID != carol.Streams[0].ID || before.Streams[1].ID == carol.Streams[1].ID {
		t.Error("the stream of who stays must stay, that of the newcomer must be new")
	}
	if s := carol.Senders("2"); len(s) != 1 || s[0].NameIDs[0].Name != "Carol" {
		t.Errorf("label 2 is sent by %+v", s)
	}
	if len(back.Participants) != 3 || len(back.ParticipantSessionAssocs) != 4 {
		t.Errorf("who comes back is the same participant in a second stay: %+v", back)
	}
}

// TestStateIsTakenUp: a Builder made of another's state goes on where that one
// stopped.
func TestStateIsTakenUp(t *testing.T) {
	one := metadata.NewBuilder(metadata.BuilderConfig{})
	want := one.Complete(call(), both(), after(time.Second))
	state := one.State()
	two := metadata.NewBuilder(metadata.BuilderConfig{State: &state})
	got := two.Complete(call(), both(), after(2*time.Second))
	if !reflect.DeepEqual(got, want) || one.SessionID() != two.SessionID() {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestSessionIDIsKept(t *testing.T) {
	id := metadata.NewV4()
	b := metadata.NewBuilder(metadata.BuilderConfig{Session: id})
	if r := b.Complete(call(), both(), t0); b.SessionID() != id || r.Sessions[0].ID != id.ID() {
		t.Errorf("session is %v", r.Sessions[0].ID)
	}
}

func BenchmarkComplete(b *testing.B) {
	builder := metadata.NewBuilder(metadata.BuilderConfig{})
	s, streams := call(), both()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := builder.Complete(s, streams, t0).XML(); err != nil {
			b.Fatal(err)
		}
	}
}

// TestTimesInAnyZone: whatever zone the times of a call come in, the document
// has them in UTC, with Z.
func TestTimesInAnyZone(t *testing.T) {
	s := call()
	zone := time.FixedZone("+0545", 5*3600+45*60)
	s.Started, s.Answered = s.Started.In(zone), s.Answered.In(zone)
	doc, err := metadata.NewBuilder(metadata.BuilderConfig{}).Complete(s, both(), after(time.Second).In(zone)).XML()
	if err != nil {
		t.Fatal(err)
	}
	if want := "<start-time>2026-03-02T09:15:00.250Z</start-time>"; !strings.Contains(string(doc), want) || strings.Contains(string(doc), "+05") {
		t.Errorf("no %s in\n%s", want, doc)
	}
}
