package metadata_test

import (
	"strings"
	"testing"
	"time"

	"sidetrack/metadata"
)

// TestMoved: a session that another recording session goes on with keeps everything, but is tied to that one from then
// on (RFC 7865 §6.4.1), and says what neither of them has.
func TestMoved(t *testing.T) {
	b := metadata.NewBuilder(metadata.BuilderConfig{})
	before := b.Complete(call(), both(), after(time.Second))
	b.Moved(after(8 * time.Second))
	now := b.Complete(call(), both(), after(12*time.Second), metadata.WithGaps([]metadata.Gap{
		{Label: "1", From: after(7 * time.Second), To: after(8 * time.Second), Packets: 50, Cause: "lost"},
		{Label: "2", From: after(9 * time.Second), Cause: "<lost>"},
	}))
	d := metadata.Diff(before.Told(), now)
	if len(d.SessionRecordingAssocs) != 1 || !d.SessionRecordingAssocs[0].Associated.Equal(t0.Add(8*time.Second)) || len(d.Sessions) != 1 ||
		len(d.Participants)+len(d.Streams)+len(d.ParticipantSessionAssocs)+len(d.ParticipantStreamAssocs) != 0 {
		t.Errorf("changed: %+v", d)
	}
	for _, p := range now.Verify([]string{"1", "2"}) {
		t.Error(p)
	}
	doc, err := now.XML()
	if err != nil {
		t.Fatal(err)
	}
	want := `<gaps xmlns="urn:sidetrack:metadata:1">` +
		`<gap stream_id="` + string(now.Streams[0].ID) + `" cause="lost" from="2026-03-02T09:15:07.250Z" to="2026-03-02T09:15:08.250Z" packets="50"/>` +
		`<gap stream_id="` + string(now.Streams[1].ID) + `" cause="&lt;lost>" from="2026-03-02T09:15:09.250Z"/></gaps>`
	if flat := strings.NewReplacer("\n", "", "  ", "").Replace(string(doc)); !strings.Contains(flat, want) {
		t.Errorf("no %s in\n%s", want, doc)
	}
	if err := xmllint(t)(doc); err != nil {
		t.Error(err)
	}
}

// TestNote: who comes and leaves while no document can be sent is in the next one, with the times of his stay.
func TestNote(t *testing.T) {
	b := metadata.NewBuilder(metadata.BuilderConfig{})
	first := b.Complete(call(), both(), after(time.Second))
	cs := call()
	cs.Callee = metadata.Party{AOR: "sip:carol@example.com"}
	b.Note(cs, both(), after(5*time.Second))
	cs.Callee = metadata.Party{AOR: "sip:dave@example.com"}
	now := b.Complete(cs, both(), after(12*time.Second))
	if len(now.Participants) != 4 || len(now.ParticipantSessionAssocs) != 4 {
		t.Fatalf("%+v", now.Participants)
	}
	stay := now.ParticipantSessionAssocs[2]
	if now.Participants[2].NameIDs[0].AOR != "sip:carol@example.com" || !stay.Associated.Equal(t0.Add(5*time.Second)) || !stay.Disassociated.Equal(t0.Add(12*time.Second)) {
		t.Errorf("%+v stayed %+v", now.Participants[2], stay)
	}
	if now.Streams[0].ID != first.Streams[0].ID || now.Streams[1].ID == first.Streams[1].ID {
		t.Error("the stream of who stays must stay, that of the newcomer must be new")
	}
	for _, p := range now.Verify([]string{"1", "2"}) {
		t.Error(p)
	}
}

// TestGapsAreTheirs: what was lost before a transfer is told of the stream of who spoke then, in the document's own way
// to write identifiers and times.
func TestGapsAreTheirs(t *testing.T) {
	style := metadata.Style{IDs: metadata.IDsUUID, Times: metadata.TimesSeconds}
	b := metadata.NewBuilder(metadata.BuilderConfig{Style: style})
	before := b.Complete(call(), both(), after(time.Second))
	cs := call()
	cs.Callee = metadata.Party{AOR: "sip:carol@example.com"}
	b.Note(cs, both(), after(5*time.Second))
	b = metadata.NewBuilder(metadata.BuilderConfig{Style: style, State: ptr(b.State())})
	now := b.Complete(cs, both(), after(12*time.Second), metadata.WithGaps([]metadata.Gap{
		{Label: "2", From: after(3 * time.Second), To: after(4 * time.Second), Cause: "lost"},
		{Label: "2", From: after(7 * time.Second), To: after(8 * time.Second), Cause: "lost"},
	}))
	doc, err := now.Styled(style)
	if err != nil {
		t.Fatal(err)
	}
	plain := func(id metadata.ID) string {
		u, err := metadata.ParseUUID(string(id))
		if err != nil {
			t.Fatal(err)
		}
		return u.String()
	}
	bob, carol := plain(before.Streams[1].ID), plain(now.Streams[1].ID)
	for _, want := range []string{
		`<stream stream_id="` + carol + `"`,
		`<gap stream_id="` + bob + `" cause="lost" from="2026-03-02T09:15:03Z" to="2026-03-02T09:15:04Z"/>`,
		`<gap stream_id="` + carol + `" cause="lost" from="2026-03-02T09:15:07Z"`,
	} {
		if !strings.Contains(string(doc), want) {
			t.Errorf("no %s in\n%s", want, doc)
		}
	}
}

func ptr[T any](v T) *T { return &v }
