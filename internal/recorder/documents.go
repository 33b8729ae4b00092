package recorder

import (
	"fmt"
	"slices"
	"time"

	"sidetrack/metadata"
)

// maxDocuments is how many documents of a session are kept as received.
const maxDocuments = 1000

// document is what is remembered of one metadata document.
type document struct {
	File     string            `json:"file,omitempty"` // "" when it was not kept
	At       float64           `json:"at"`             // seconds on the session's clock
	Via      string            `json:"via"`            // the request that brought it
	Bytes    int               `json:"bytes"`
	Mode     metadata.DataMode `json:"mode,omitempty"`
	Problems []string          `json:"problems"`
}

// library keeps what a session's metadata says. It is owned by the session.
type library struct {
	count  int
	list   []document
	model  *metadata.Recording // the last complete one with all partial ones after it
	sender map[string]Party    // by label; stays while the stream is held
}

// read takes in a document that came with the SDP of c, if c has one.
func (l *library) read(b []byte, via string, at time.Duration, c *content) *document {
	l.count++
	d := document{At: at.Seconds(), Via: via, Bytes: len(b), Problems: []string{}}
	if l.count <= maxDocuments {
		d.File = fmt.Sprintf("metadata-%d.xml", l.count)
	}
	rec, err := metadata.Parse(b)
	if err != nil {
		d.Problems = append(d.Problems, err.Error())
	} else {
		d.Mode = rec.Mode()
		d.Problems = append(d.Problems, l.check(rec, c)...)
		if !l.learn(rec) {
			d.Problems = append(d.Problems, "partial document left out: the metadata has too many elements")
		}
	}
	if len(l.list) < maxDocuments {
		l.list = append(l.list, d)
	}
	return &d
}

func (l *library) check(rec *metadata.Recording, c *content) (problems []string) {
	labels, disabled := c.labels()
	for _, d := range disabled {
		if rec.StreamByLabel(d) != nil {
			labels = append(labels, d)
		}
	}
	for _, p := range rec.Verify(labels) {
		problems = append(problems, p.String())
	}
	if l.model == nil && rec.Mode() == metadata.Partial {
		problems = append(problems, "MD-05 recording: a partial document before any complete one")
	}
	labelled := slices.ContainsFunc(rec.Streams, func(s metadata.Stream) bool { return s.Label != "" })
	if labels == nil && labelled {
		problems = append(problems, "SDP-04 stream: labels in a message without the SDP that defines them")
	}
	return problems
}

// learn takes a document in; false when it would make the model too large.
func (l *library) learn(rec *metadata.Recording) bool {
	if rec.Mode() == metadata.Partial && elements(l.model)+elements(rec) > maxElements {
		return false
	}
	l.model = metadata.Merge(l.model, rec)
	for _, s := range l.model.Streams {
		for _, p := range l.model.Senders(s.Label) {
			if len(p.NameIDs) > 0 {
				l.sender[s.Label] = partyOf(p.NameIDs[0])
			}
		}
	}
	return true
}

// maxElements bounds what many small documents can make of one model.
const maxElements = 5000

func elements(r *metadata.Recording) int {
	if r == nil {
		return 0
	}
	return len(r.Groups) + len(r.Sessions) + len(r.Participants) + len(r.Streams) + len(r.SessionRecordingAssocs) +
		len(r.ParticipantSessionAssocs) + len(r.ParticipantStreamAssocs) + len(r.Extensions)
}

// parties lists the participants.
func (l *library) parties() []Party {
	parties := []Party{}
	if l.model == nil {
		return parties
	}
	for _, p := range l.model.Participants {
		if len(p.NameIDs) > 0 {
			parties = append(parties, partyOf(p.NameIDs[0]))
		}
	}
	return parties
}

// sessionID is the RFC 7865 id of the first session in URL-safe form, "" without one.
func (l *library) sessionID() string {
	if l.model == nil || len(l.model.Sessions) == 0 {
		return ""
	}
	id := string(l.model.Sessions[0].ID)
	if u, err := metadata.ParseUUID(id); err == nil {
		return u.URLSafe()
	}
	return safeName(id, 64)
}

// store writes a document as received and, when it is complete, as the present
// one. It runs on the clerk.
func store(f *folder, d document, b []byte) error {
	var err error
	if d.File != "" {
		err = writeFile(f, d.File, b, false)
	}
	if err == nil && d.Mode == metadata.Complete {
		err = writeFile(f, "metadata.xml", b, true)
	}
	return err
}
