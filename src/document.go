package src

import (
	"time"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/body"
	"sidetrack/metadata"
	"sidetrack/policy"
)

const sdpType = "application/sdp"

// newBuilder makes the builder of a session's documents out of what its
// recorder configures. A template that fails costs its own element, never the
// recording.
func (s *Session) newBuilder(id metadata.UUID) *metadata.Builder {
	r := s.recorder
	cfg := metadata.BuilderConfig{
		Session: id,
		Person:  s.client.person,
		Group:   s.text("group", r.Group),
		Caller:  nameIDs(s, "caller", r.Caller),
		Callee:  nameIDs(s, "callee", r.Callee),
	}
	cfg.GroupExtensions = extensions(s, "group_extension", r.GroupExtension)
	cfg.SessionExtensions = s.sessionExtensions()
	cfg.CallerExtensions = extensions(s, "caller_extension", r.CallerExtension)
	cfg.CalleeExtensions = extensions(s, "callee_extension", r.CalleeExtension)
	cfg.First, cfg.Style = r.Dialect.First, r.Dialect.Style
	if s.added.Group != "" {
		cfg.Group = s.added.Group
	}
	return metadata.NewBuilder(cfg)
}

// sessionExtensions are the operator's, with the parameters of the moment.
func (s *Session) sessionExtensions() []metadata.Extension {
	out := extensions(s, "session_extension", s.recorder.SessionExtension)
	if p := s.added.parameters(); len(p) > 0 && s.recorder.Parameters != ParametersHeaders {
		out = append(out, metadata.Parameters(p))
	}
	return out
}

// person makes the identifier of a participant: the same person has the same
// one in all recordings of this process, so also in those of related calls (RFC
// 7865 §6.5.1). It tells nobody else who that is.
func (c *Client) person(key string) metadata.UUID { return metadata.NewV5(c.people, key) }

func (s *Session) text(key string, t *policy.Template) string {
	if t == nil {
		return ""
	}
	text, err := t.Execute(s.call.answered())
	if err != nil {
		s.log.Warn("template left out", "key", key, "error", err)
		return ""
	}
	return text
}

func nameIDs(s *Session, key string, t *policy.Template) []metadata.NameID {
	return parsed(s, key, t, metadata.ParseNameIDs)
}

func extensions(s *Session, key string, t *policy.Template) []metadata.Extension {
	return parsed(s, key, t, metadata.ParseExtensions)
}

func parsed[T any](s *Session, key string, t *policy.Template, parse func(string) ([]T, error)) []T {
	text := s.text(key, t)
	if text == "" {
		return nil
	}
	out, err := parse(text)
	if err != nil {
		s.log.Warn("template left out", "key", key, "error", err)
		return nil
	}
	return out
}

// document is the complete snapshot of the call as it is known now.
func (s *Session) document(opts ...metadata.Option) *metadata.Recording {
	cs := s.snapshot()
	if gaps := s.losses(); len(gaps) > 0 {
		opts = append(opts, metadata.WithGaps(gaps))
	}
	return s.recorder.Dialect.colour(s.builder.Complete(cs, s.streams.labeled(), s.now(), opts...), cs.SIPCallID)
}

// snapshot is the call as the documents tell it.
func (s *Session) snapshot() metadata.Snapshot {
	cs := *s.cs
	if s.recorder.Dialect.Streams == StreamsTwo && cs.Group.Name == "" { // the two sessions of a call belong together
		cs.Group = metadata.Related{Name: cs.ID, Since: cs.Started}
	}
	return cs
}

func (s *Session) now() time.Time { return s.client.cfg.Now() }

// fill gives m the body of an RS request: the description first, for some
// recorders look no further, then the document (RFC 7866 §9.1).
func (d *Dialect) fill(m *sip.Message, description []byte, doc *metadata.Recording) error {
	xml, err := doc.Styled(d.Style)
	if err != nil {
		return err
	}
	m.SetBody(body.Mixed(
		body.Part{ContentType: sdpType, Body: d.pauses(description)},
		body.Part{ContentType: d.metadataType(), Disposition: metadata.Disposition, Body: xml},
	))
	return nil
}

// fillDocument gives m a body of metadata alone. It must hold no labels: their
// scope is the message with the description that defines them (RFC 7866 §7.1.1).
func (d *Dialect) fillDocument(m *sip.Message, doc *metadata.Recording) error {
	xml, err := doc.Styled(d.Style)
	if err != nil {
		return err
	}
	m.Set("Content-Disposition", metadata.Disposition)
	m.SetBody(d.metadataType(), xml)
	return nil
}

// asksForSnapshot tells whether a request of the SRS asks for a full document
// (RFC 7866 §9.2, RFC 7865 §7). The root element decides: the media type of a
// request has been written in three ways, and old recorders put it into INFO
// and re-INVITE too.
func asksForSnapshot(m *sip.Message) bool {
	for _, p := range body.Parts(m) {
		if p.ContentType == sdpType {
			continue
		}
		if _, ok := metadata.ParseSnapshotRequest(p.Body); ok {
			return true
		}
	}
	return false
}
