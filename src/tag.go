package src

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"sidetrack/metadata"
	"sidetrack/policy"
)

// tagParameter is what a party's tag is called that has no name of its own.
const tagParameter = "tag"

// Tag adds parameters (name → value) to a live recording, or changes those that
// it has; an empty value takes one away. The SRS is told in an update, as
// Recorder.Parameters says. The errors are those of Pause and ErrRequest (wrapped).
func (c *Client) Tag(ctx context.Context, id string, parameters map[string]string) (View, error) {
	return c.control(ctx, id, func(s *Session) error { return s.tag(parameters) })
}

// tagOf is what a party's wish adds.
func (s *Session) tagOf(w policy.Wish) map[string]string {
	if w.Parameter == "" {
		return map[string]string{tagParameter: s.now().UTC().Format(time.RFC3339)}
	}
	return map[string]string{w.Parameter: w.Value}
}

// tag is Tag, on the session's lane. The map is never changed in place: views
// share it.
func (s *Session) tag(parameters map[string]string) error {
	if s.state == metadata.StateEnded {
		return ErrState
	}
	added := s.added
	added.Parameters = map[string]string{}
	maps.Copy(added.Parameters, s.added.Parameters)
	maps.Copy(added.Parameters, parameters)
	maps.DeleteFunc(added.Parameters, func(_, value string) bool { return value == "" })
	if err := added.Check(); err != nil {
		return err
	}
	if maps.Equal(added.Parameters, s.added.Parameters) {
		return nil
	}
	s.added = added
	s.headers = s.renderHeaders()
	s.builder.SetSessionExtensions(s.sessionExtensions())
	s.publish()
	s.testify()
	names := strings.Join(slices.Sorted(maps.Keys(parameters)), ", ")
	s.tell(EventTagged, names)
	s.log.Info("recording tagged", "parameters", names)
	if s.recorder.Parameters == ParametersHeaders && s.recorder.Dialect.Carrier != CarrierNone {
		s.demand() // the document stays as it is
	} else {
		s.changed()
	}
	return nil
}
