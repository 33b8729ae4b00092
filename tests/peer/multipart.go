package peer

import (
	"bytes"
	"strings"
)

// BodyPart is one part of a multipart body.
type BodyPart struct {
	Headers []Header
	Body    []byte
}

// Get is the value of a part's header.
func (p BodyPart) Get(name string) string {
	return (&Message{Headers: p.Headers}).Get(name)
}

// Type is the part's media type in lower case, without parameters.
func (p BodyPart) Type() string { return mediaType(p.Get("Content-Type")) }

func mediaType(value string) string {
	value, _, _ = strings.Cut(value, ";")
	return strings.ToLower(strings.TrimSpace(value))
}

// Parts splits the body by its boundary, strictly (RFC 2046 §5.1): CRLF before each delimiter, a closing delimiter. A
// body that is not multipart is one part. Nil when the boundary's rules are broken.
func (m *Message) Parts() []BodyPart {
	contentType := m.Get("Content-Type")
	if !strings.HasPrefix(mediaType(contentType), "multipart/") {
		return []BodyPart{{Headers: []Header{{"Content-Type", contentType}}, Body: m.Body}}
	}
	boundary := Param(contentType, "boundary")
	body := append([]byte("\r\n"), m.Body...)
	sections := bytes.Split(body, []byte("\r\n--"+boundary))
	if boundary == "" || len(sections) < 3 || !bytes.HasPrefix(sections[len(sections)-1], []byte("--")) {
		return nil
	}
	var parts []BodyPart
	for _, section := range sections[1 : len(sections)-1] {
		section, ok := bytes.CutPrefix(section, []byte("\r\n"))
		head, content, found := bytes.Cut(section, []byte("\r\n\r\n"))
		if !ok || !found {
			return nil
		}
		part := BodyPart{Body: content}
		for line := range strings.SplitSeq(string(head), "\r\n") {
			name, value, _ := strings.Cut(line, ":")
			part.Headers = append(part.Headers, Header{strings.TrimSpace(name), strings.TrimSpace(value)})
		}
		parts = append(parts, part)
	}
	return parts
}

// Part is the content of the first part of that type, nil when there is none.
func (m *Message) Part(contentType string) []byte {
	for _, p := range m.Parts() {
		if p.Type() == contentType {
			return p.Body
		}
	}
	return nil
}

// SDP is the body's session description, nil when there is none.
func (m *Message) SDP() []byte { return m.Part("application/sdp") }

// Mixed joins parts into a multipart/mixed body.
func Mixed(boundary string, parts ...BodyPart) (contentType string, body []byte) {
	var b bytes.Buffer
	for _, p := range parts {
		b.WriteString("--" + boundary + "\r\n")
		for _, h := range p.Headers {
			b.WriteString(h.Name + ": " + h.Value + "\r\n")
		}
		b.WriteString("\r\n")
		b.Write(p.Body)
		b.WriteString("\r\n")
	}
	b.WriteString("--" + boundary + "--\r\n")
	return "multipart/mixed;boundary=" + boundary, b.Bytes()
}
