package metadata

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/beevik/etree"
)

// MaxDocument is the size in bytes above which Parse refuses a document.
const MaxDocument = 256 << 10

// Errors of Parse.
var (
	// ErrSnapshotRequest: the document is no recording but a request for one
	// (RFC 7865 §7); see ParseSnapshotRequest.
	ErrSnapshotRequest = errors.New("document is a snapshot request")
	// ErrNotRecording: the root element is something else.
	ErrNotRecording = errors.New("document is no recording metadata")
	// ErrDoctype: documents with a DTD are refused unread (RFC 7865 §10).
	ErrDoctype = errors.New("document has a document type declaration")
)

// The namespaces of drafts that are still on the wire.
var draftNamespaces = []string{"urn:ietf:params:xml:ns:recording", "urn:ietf:params:xml:ns:siprec"}

// Parse reads a document as clients on the wire write it. It takes prefixes,
// white space in identifiers, the spelling dataMode, elements out of order, and
// namespaces and attribute names of drafts; each of these, except for what is
// right, is remembered and told by Verify. It refuses only what it cannot make
// a Recording of: XML that is not well-formed, too large or too deep, a DTD
// (ErrDoctype), or another root element (ErrSnapshotRequest, ErrNotRecording).
func Parse(b []byte) (*Recording, error) {
	root, err := readRoot(b)
	if err != nil {
		return nil, err
	}
	switch strings.ToLower(root.Tag) {
	case "recording", "recording_metadata":
	case "requestsnapshot":
		return nil, ErrSnapshotRequest
	default:
		return nil, fmt.Errorf("%w: root element <%s>", ErrNotRecording, root.FullTag())
	}
	p := &parser{rec: &Recording{}, ns: root.NamespaceURI()}
	p.checkRoot(root)
	p.recording(root)
	p.rec.read = p.problems
	return p.rec, nil
}

// ParseSnapshotRequest reports whether b is a snapshot request and returns its
// reason, which may be "". It goes by the root element, not by the media type:
// that differs between RFC 7866 and the examples of RFC 8068.
func ParseSnapshotRequest(b []byte) (reason string, ok bool) {
	root, err := readRoot(b)
	if err != nil || !strings.EqualFold(root.Tag, "requestsnapshot") {
		return "", false
	}
	for _, c := range root.ChildElements() {
		if c.Tag == "requestreason" {
			return clean(c.Text()), true
		}
	}
	return "", true
}

// readRoot reads a document defensively and returns its root element.
func readRoot(b []byte) (*etree.Element, error) {
	if len(b) > MaxDocument {
		return nil, fmt.Errorf("metadata of %d bytes, more than %d", len(b), MaxDocument)
	}
	b = bytes.TrimLeft(bytes.TrimPrefix(b, []byte("\uFEFF")), " \t\r\n")
	doc := etree.NewDocument()
	doc.ReadSettings = readSettings()
	if err := doc.ReadFromBytes(b); err != nil {
		return nil, fmt.Errorf("reading metadata: %w", err)
	}
	var root *etree.Element
	for _, t := range doc.Child {
		switch t := t.(type) {
		case *etree.Directive:
			return nil, ErrDoctype
		case *etree.CharData:
			if strings.TrimSpace(t.Data) != "" {
				return nil, errors.New("reading metadata: text outside of the root element")
			}
		case *etree.Element:
			if root != nil {
				return nil, errors.New("reading metadata: more than one root element")
			}
			root = t
		}
	}
	if root == nil {
		return nil, errors.New("reading metadata: no element")
	}
	if err := tidy(root); err != nil {
		return nil, fmt.Errorf("reading metadata: %w", err)
	}
	return root, nil
}

// charset lets UTF-8 and its subset through and converts Latin-1; others are
// refused.
func charset(name string, r io.Reader) (io.Reader, error) {
	switch strings.ToLower(name) {
	case "utf-8", "utf8", "us-ascii", "ascii":
		return r, nil
	case "iso-8859-1", "latin1", "windows-1252":
		return &latin1{r: r}, nil
	}
	return nil, fmt.Errorf("unknown encoding %q", name)
}

// latin1 reads ISO 8859-1 as UTF-8.
type latin1 struct {
	r    io.Reader
	rest []byte
}

func (l *latin1) Read(p []byte) (int, error) {
	if len(l.rest) == 0 {
		buf := make([]byte, 1024)
		n, err := l.r.Read(buf)
		if n == 0 {
			return 0, err
		}
		for _, c := range buf[:n] {
			l.rest = utf8.AppendRune(l.rest, rune(c))
		}
	}
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}

// parser builds a Recording and notes what it forgives.
type parser struct {
	rec      *Recording
	ns       string // namespace of the root, taken for that of the format
	problems []Problem
}

// maxProblems bounds what is told about one document.
const maxProblems = 200

// schema notes a violation of the schema.
func (p *parser) schema(rule, where, format string, args ...any) {
	p.note(Problem{Rule: rule, Where: where, Text: fmt.Sprintf(format, args...), Schema: true})
}

func (p *parser) note(x Problem) {
	if len(p.problems) < maxProblems {
		p.problems = append(p.problems, x)
	}
}

func (p *parser) checkRoot(root *etree.Element) {
	switch {
	case p.ns == Namespace && root.Tag == "recording":
	case p.ns == "":
		p.schema("XML-01", root.Tag, "no namespace, want %s", Namespace)
	default:
		p.schema("XML-01", root.Tag, "namespace %s, want <recording> in %s", p.ns, Namespace)
	}
}
