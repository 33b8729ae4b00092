package body

import (
	"bytes"
	"strings"

	"sidetrack/internal/sip"
)

// fieldsEnd gives the length of an entity's MIME fields with the empty line that ends them. An entity may begin with
// that empty line; one without any is all fields if it looks like them, else all body.
func fieldsEnd(entity []byte) int {
	for at := 0; at < len(entity); {
		line, next := nextLine(entity, at)
		if len(line) == 0 {
			return next
		}
		if line[0] != ' ' && line[0] != '\t' && bytes.IndexByte(line, ':') <= 0 {
			return at // not a field: the empty line was forgotten
		}
		at = next
	}
	return len(entity)
}

// nextLine gives the line at an offset without its break, and the offset of the next.
func nextLine(b []byte, at int) (line []byte, next int) {
	i := bytes.IndexByte(b[at:], '\n')
	if i < 0 {
		return b[at:], len(b)
	}
	return bytes.TrimSuffix(b[at:at+i], []byte("\r")), at + i + 1
}

// parseFields reads MIME fields, unfolded.
func parseFields(head []byte) []sip.Header {
	var fields []sip.Header
	var value []byte // of the last field, where it has been continued
	for at := 0; at < len(head); {
		line, next := nextLine(head, at)
		at = next
		if len(line) == 0 {
			continue
		}
		if line[0] == ' ' || line[0] == '\t' {
			if n := len(fields); n > 0 {
				value = continued(value, fields[n-1].Value, bytes.TrimSpace(line))
			}
			continue
		}
		fields, value = unfolded(fields, value), nil
		name, value, ok := strings.Cut(string(line), ":")
		if ok {
			fields = append(fields, sip.Header{Name: strings.TrimSpace(name), Value: strings.TrimSpace(value)})
		}
	}
	return unfolded(fields, value)
}

// continued is a value with one more line of it; the first one follows what began it.
func continued(value []byte, first string, more []byte) []byte {
	if value == nil {
		value = []byte(first)
	}
	if len(value) > 0 && len(more) > 0 {
		value = append(value, ' ')
	}
	return append(value, more...)
}

// unfolded gives the last field the value that its continuation lines make.
func unfolded(fields []sip.Header, value []byte) []sip.Header {
	if len(value) > 0 {
		fields[len(fields)-1].Value = string(value)
	}
	return fields
}

// lengthValue gives the offset of the digits of a Content-Length among MIME fields, -1 if there is none.
func lengthValue(head []byte) int {
	for at := 0; at < len(head); {
		line, next := nextLine(head, at)
		name, value, ok := bytes.Cut(line, []byte(":"))
		if ok && sip.SameName(string(bytes.TrimSpace(name)), "Content-Length") {
			digits := bytes.TrimLeft(value, " \t")
			if len(digits) > 0 && digits[0] >= '0' && digits[0] <= '9' {
				return at + len(line) - len(digits)
			}
			return -1
		}
		at = next
	}
	return -1
}
