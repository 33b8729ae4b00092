package lint

import (
	"strings"

	"sidetrack/internal/sdp"
	"sidetrack/internal/sip"
	"sidetrack/internal/sip/body"
	"sidetrack/metadata"
)

const sdpType = "application/sdp"

// message judges a request of a recording session.
func (j *judge) message() {
	m := j.item.msg
	if m.Method == "BYE" {
		j.parts(nil)
		return
	}
	j.headers(m)
	description, found := body.Find(m, sdpType)
	switch {
	case found:
		j.parts(j.description(description.Body))
	case m.Method == "INVITE":
		j.add("MD-20", Must, j.line("Content-Type", 0), "body", "no application/sdp: an INVITE without an offer makes the SRS offer; drachtio never answers it, others say 400 or 415")
		j.parts(nil)
	default:
		j.parts(nil)
	}
}

// headers judges what makes a request one of a recording session.
func (j *judge) headers(m *sip.Message) {
	if !m.HasToken("Require", "siprec") {
		j.add("SRC-03", Must, j.line("Require", 0), "Require", "no siprec; SEMS and pjproject refuse the INVITE with 400")
	}
	if m.HasToken("Supported", "siprec") {
		j.add("SRC-10", Should, j.line("Supported", 0), "Supported", "siprec stands in Require, not here")
	}
	j.contact(m)
	if !m.HasToken("Allow", "UPDATE") {
		j.add("SRC-23", Must, j.line("Allow", 0), "Allow", "no UPDATE: an SRS asks for a snapshot by it")
	}
	if accept := strings.ToLower(strings.Join(m.All("Accept"), ",")); !strings.Contains(accept, metadata.ContentType) {
		j.add("SRC-11", Should, j.line("Accept", 0), "Accept", "does not list %s", metadata.ContentType)
	}
	if !m.Has("Date") {
		j.add("XML-11", Should, 0, "Date", "missing: the SRS learns from it when the session began")
	}
	if from, to := m.From().URI, m.To().URI; from == to && from != "" {
		j.add("SRC-05", Should, j.line("From", 0), "From", "names the same as To; From is the client, To the SRS")
	}
	if n := len(j.item.raw); n > 1300 && j.item.proto == "udp" {
		j.add("MD-19", Should, 0, "message", "%d bytes over UDP: more than 1300 go over TCP", n)
	}
}

// contact judges the feature tag.
func (j *judge) contact(m *sip.Message) {
	line := j.line("Contact", 0)
	contact, ok := m.Contact()
	switch {
	case !ok:
		j.add("SRC-02", Must, line, "Contact", "missing or not readable")
	case contact.Params.Has("+sip.src"):
	case strings.Contains(strings.ToLower(contact.URI), ";+sip.src"):
		j.add("SRC-02", Must, line, "Contact", "+sip.src stands within the brackets, where it is a parameter of the URI; write it behind them")
	case contact.Params.Has("src"), contact.Params.Has("sip.src"):
		j.add("SRC-02", Must, line, "Contact", "the feature tag is +sip.src, with the plus")
	default:
		j.add("SRC-02", Must, line, "Contact", "no +sip.src; pjproject and Cisco refuse the INVITE")
	}
}

// parts judges the body's parts; s is its description, nil without one.
func (j *judge) parts(s *sdp.Session) {
	m := j.item.msg
	var doc *body.Part
	for i, p := range body.Parts(m) {
		switch {
		case strings.Contains(p.ContentType, "rs-metadata"):
			if doc != nil {
				j.add("MD-07", Must, 0, "body", "two metadata documents")
			}
			doc = &p
		case p.ContentType == sdpType && i > 0 && doc != nil:
			j.add("MD-11", Should, 0, "body", "the SDP comes after the metadata; some recorders look at the first part only")
		}
	}
	j.envelope(m)
	if doc == nil {
		if m.Method == "INVITE" {
			j.add("MD-02", Must, j.line("Content-Type", 0), "body", "no metadata; loreste, VoiceBlender and pjproject refuse the INVITE with 400")
		}
		return
	}
	j.partFields(m, doc)
	var labels []string
	if s != nil {
		labels = labelsOf(s)
	} else {
		labels = []string{}
	}
	j.document(doc.Body, labels, j.documentLine())
}

// envelope judges the multipart.
func (j *judge) envelope(m *sip.Message) {
	if !strings.HasPrefix(m.ContentType(), "multipart/") {
		if _, ok := body.Find(m, sdpType); ok && m.Method == "INVITE" {
			j.add("MD-07", Must, j.line("Content-Type", 0), "Content-Type", "SDP alone; SDP and metadata go in one multipart/mixed")
		}
		return
	}
	if m.ContentType() != "multipart/mixed" {
		j.add("MD-07", Must, j.line("Content-Type", 0), "Content-Type", "%s; it is multipart/mixed", m.ContentType())
	}
	if text := strings.TrimRight(string(m.Body), "\r\n"); !strings.HasSuffix(text, "--") {
		j.add("MD-10", Must, strings.Count(string(j.item.raw), "\n"), "body", "does not end with --boundary--")
	}
}

// partFields judges the fields of the metadata part.
func (j *judge) partFields(m *sip.Message, doc *body.Part) {
	line := j.line("Content-Type: application/rs-metadata", 0)
	if doc.ContentType != metadata.ContentType {
		j.add("MD-09", Should, line, "metadata part", "%s is what RFC 7866 said by mistake; RFC 9806 says %s, and recorders should take both", doc.ContentType, metadata.ContentType)
	}
	disposition := doc.Disposition
	if doc.Headers == nil {
		disposition, _, _ = strings.Cut(strings.ToLower(m.Get("Content-Disposition")), ";")
	}
	if strings.TrimSpace(disposition) != metadata.Disposition {
		j.add("MD-09", Must, line, "metadata part", "Content-Disposition is %q, not %s", disposition, metadata.Disposition)
	}
}

// documentLine is the line on which the document begins, less one.
func (j *judge) documentLine() int {
	for i, l := range strings.Split(string(j.item.raw), "\n") {
		if t := strings.TrimSpace(l); strings.HasPrefix(t, "<?xml") || strings.HasPrefix(t, "<") && strings.Contains(t, "recording") {
			return i
		}
	}
	return 0
}
