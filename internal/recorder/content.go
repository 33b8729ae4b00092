package recorder

import (
	"errors"
	"fmt"
	"strings"

	"sidetrack/internal/sdp"
	"sidetrack/internal/sip"
	"sidetrack/internal/sip/body"
	"sidetrack/metadata"
)

const maxBody = 256 << 10 // bytes of a request's body

// content is what a SIPREC request carries (RFC 7866 §9.1).
type content struct {
	sdp       *sdp.Session // nil when there is none
	sdpBytes  []byte
	documents [][]byte // metadata, as received
	notes     []string // what is wrong without making it unusable
}

var (
	errMultipart = errors.New("multipart body without the parts that its boundary announces")
	errMediaType = errors.New("body of a type that is neither SDP nor recording metadata")
	errEncoding  = errors.New("encoded body")
)

// readContent takes the body apart. The errors are the sender's.
func readContent(m *sip.Message) (content, error) {
	var c content
	if e := m.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return c, errEncoding
	}
	parts := body.Parts(m)
	known := len(parts) == 0
	for _, p := range parts {
		switch {
		case p.ContentType == "application/sdp":
			if c.sdp != nil {
				c.note("SDP-01: more than one SDP part, the first is used")
				continue
			}
			session, err := sdp.Parse(p.Body)
			if err != nil {
				return c, fmt.Errorf("reading the SDP: %w", err)
			}
			c.sdp, c.sdpBytes, known = session, p.Body, true
		case p.ContentType == metadata.ContentType, p.ContentType == metadata.LegacyContentType:
			known = true
			c.documents = append(c.documents, p.Body)
			c.checkPart(p)
		case strings.HasPrefix(p.ContentType, "multipart/"):
			return c, errMultipart
		}
	}
	if !known {
		return c, errMediaType
	}
	return c, nil
}

func (c *content) note(format string, args ...any) {
	c.notes = append(c.notes, fmt.Sprintf(format, args...))
}

// checkPart holds the fields of a metadata part against RFC 7866 §9.1 and RFC 9806 §2.
func (c *content) checkPart(p body.Part) {
	if p.ContentType == metadata.LegacyContentType {
		c.note("MD-09: metadata as %s, want %s (RFC 9806 §2)", p.ContentType, metadata.ContentType)
	}
	if p.Disposition != metadata.Disposition {
		c.note("MD-09: metadata with Content-Disposition %q, want %s", p.Disposition, metadata.Disposition)
	}
}

// labels are those of the SDP, nil without SDP: of its live sections, and of
// disabled ones, which metadata may describe but need not.
func (c *content) labels() (live, disabled []string) {
	if c.sdp == nil {
		return nil, nil
	}
	live = []string{}
	for _, m := range c.sdp.Media() {
		switch l := m.Label(); {
		case l == "":
		case m.Port == 0:
			disabled = append(disabled, l)
		default:
			live = append(live, l)
		}
	}
	return live, disabled
}

// checkRequest holds the header fields that make a request one of a recording
// session against RFC 7866 §6.1.1.
func checkRequest(m *sip.Message) (notes []string) {
	contact, ok := m.Contact()
	switch {
	case !ok:
		notes = append(notes, m.Method+" without a usable Contact")
	case !contact.Params.Has("+sip.src"):
		notes = append(notes, "SRC-02: Contact of "+m.Method+" lacks +sip.src")
	}
	return notes
}
