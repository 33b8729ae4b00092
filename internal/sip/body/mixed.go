package body

import (
	"bytes"
	"strings"

	"sidetrack/internal/sip"
)

// Mixed builds a multipart/mixed body (RFC 2046 §5.1, RFC 7866 §9.1) with a boundary that stands in none of the parts
// and is a token, since not every recorder takes a quoted one. The fields of a part are its Headers; Content-Type and
// Content-Disposition are added from ContentType and Disposition when Headers lacks them.
func Mixed(parts ...Part) (contentType string, body []byte) {
	boundary := freshBoundary(parts)
	var b bytes.Buffer
	for _, p := range parts {
		b.WriteString("--" + boundary + "\r\n")
		writeField(&b, p, "Content-Type", p.ContentType)
		writeField(&b, p, "Content-Disposition", p.Disposition)
		for _, h := range p.Headers {
			writeLine(&b, h.Name, h.Value)
		}
		b.WriteString("\r\n")
		b.Write(p.Body)
		b.WriteString("\r\n")
	}
	b.WriteString("--" + boundary + "--\r\n")
	return "multipart/mixed;boundary=" + boundary, b.Bytes()
}

func writeField(b *bytes.Buffer, p Part, name, value string) {
	if value == "" || field(p.Headers, name) != "" {
		return
	}
	writeLine(b, name, value)
}

// oneLine keeps a value from making a field, or a part, of its own.
var oneLine = strings.NewReplacer("\r", " ", "\n", " ")

func writeLine(b *bytes.Buffer, name, value string) {
	b.WriteString(oneLine.Replace(name) + ": " + oneLine.Replace(value) + "\r\n")
}

func freshBoundary(parts []Part) string {
	for {
		boundary := "part-" + sip.NewTag()
		if !within(parts, boundary) {
			return boundary
		}
	}
}

func within(parts []Part, boundary string) bool {
	for _, p := range parts {
		if bytes.Contains(p.Body, []byte(boundary)) {
			return true
		}
	}
	return false
}
