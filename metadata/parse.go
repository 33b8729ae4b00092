package metadata

import "errors"

// MaxDocument is the size in bytes above which Parse refuses a document.
const MaxDocument = 256 << 10

// ErrSnapshotRequest is returned by Parse for a document that is no recording
// but a request for one (RFC 7865 §7): use ParseSnapshotRequest.
var ErrSnapshotRequest = errors.New("document is a snapshot request")

// Parse reads a document. What it has to forgive is told by Verify.
func Parse(b []byte) (*Recording, error) { return &Recording{}, nil }

// ParseSnapshotRequest reports whether b is a snapshot request and returns its
// reason, which may be "".
func ParseSnapshotRequest(b []byte) (reason string, ok bool) { return "", false }
