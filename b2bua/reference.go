package b2bua

import (
	"net/url"
	"strings"
	"sync"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/dialog"
)

// In rewrite mode a dialog has other identifiers on each leg. Where a message
// names a dialog, so that somebody beyond us may find it, they must be those of
// the other leg: Replaces (RFC 3891) and Join (RFC 3911), as header or within
// Refer-To, and Target-Dialog (RFC 4538).

// reference names a dialog as its peer on one leg does.
type reference struct {
	callID       string
	ours, theirs string // tags
}

func referenceOf(d *dialog.Dialog) reference { return reference{d.CallID, d.LocalTag, d.RemoteTag} }

// references map each leg's dialogs to the other's, of the calls of all lanes that
// began in rewrite mode: a transfer names a dialog of another call. Its lock is a leaf.
type references struct {
	mu    sync.RWMutex
	other map[reference]reference
}

func newReferences() *references { return &references{other: map[reference]reference{}} }

// put notes the dialogs of a branch, each as the other's.
func (r *references) put(b *branch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	x, y := referenceOf(b.dialogs[sideA]), referenceOf(b.dialogs[sideB])
	r.other[x], r.other[y] = y, x
}

// drop forgets them, unless another branch has taken one over.
func (r *references) drop(b *branch) {
	r.mu.Lock()
	defer r.mu.Unlock()
	x, y := referenceOf(b.dialogs[sideA]), referenceOf(b.dialogs[sideB])
	if r.other[x] == y {
		delete(r.other, x)
	}
	if r.other[y] == x {
		delete(r.other, y)
	}
}

func (r *references) find(callID, ours, theirs string) (reference, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	o, ok := r.other[reference{callID, ours, theirs}]
	return o, ok
}

func (r *references) len() int {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return len(r.other)
}

// translate maps every dialog that m names. What names none of ours, or a
// dialog of who is to receive it, keeps its bytes.
func (r *references) translate(m *sip.Message) {
	if r.len() == 0 {
		return
	}
	for i := range m.Headers {
		h := &m.Headers[i]
		switch {
		case h.Is("Replaces"), h.Is("Join"):
			h.Value = r.replaces(h.Value)
		case h.Is("Target-Dialog"):
			h.Value = r.targetDialog(h.Value)
		case h.Is("Refer-To"):
			h.Value = r.referTo(h.Value)
		}
	}
}

// replaces maps a value of Replaces or Join. Its to-tag is the local one of who
// receives it (RFC 3891 §3), so for its sender we stand there.
func (r *references) replaces(value string) string {
	callID, tags := dialogValue(value)
	o, ok := r.find(callID, tags["to-tag"], tags["from-tag"])
	if !ok {
		return value
	}
	return rename(value, o.callID, map[string]string{"to-tag": o.theirs, "from-tag": o.ours})
}

// targetDialog maps a value of Target-Dialog: either party may have written it,
// so both senses of its tags are tried.
func (r *references) targetDialog(value string) string {
	callID, tags := dialogValue(value)
	local, remote := tags["local-tag"], tags["remote-tag"]
	if o, ok := r.find(callID, remote, local); ok {
		return rename(value, o.callID, map[string]string{"remote-tag": o.theirs, "local-tag": o.ours})
	}
	if o, ok := r.find(callID, local, remote); ok {
		return rename(value, o.callID, map[string]string{"local-tag": o.theirs, "remote-tag": o.ours})
	}
	return value
}

// referTo maps the Replaces or Join that the referred request shall have.
func (r *references) referTo(value string) string {
	n, err := sip.ParseNameAddr(value)
	if err != nil {
		return value
	}
	uri, query, ok := strings.Cut(n.URI, "?")
	if !ok {
		return value
	}
	pairs := strings.Split(query, "&")
	changed := false
	for i, pair := range pairs {
		name, escaped, _ := strings.Cut(pair, "=")
		if !strings.EqualFold(name, "Replaces") && !strings.EqualFold(name, "Join") {
			continue
		}
		plain, err := url.PathUnescape(escaped)
		if err != nil {
			continue
		}
		if mapped := r.replaces(plain); mapped != plain {
			pairs[i] = name + "=" + strings.ReplaceAll(url.QueryEscape(mapped), "+", "%20")
			changed = true
		}
	}
	if !changed {
		return value
	}
	return sip.WithURI(value, uri+"?"+strings.Join(pairs, "&"))
}

// dialogValue takes callid;name=value… apart.
func dialogValue(value string) (callID string, tags map[string]string) {
	parts := strings.Split(value, ";")
	tags = map[string]string{}
	for _, p := range parts[1:] {
		name, v, _ := strings.Cut(p, "=")
		tags[strings.ToLower(strings.TrimSpace(name))] = strings.TrimSpace(v)
	}
	return strings.TrimSpace(parts[0]), tags
}

// rename gives such a value another Call-ID and other tags; the rest stays.
func rename(value, callID string, tags map[string]string) string {
	parts := strings.Split(value, ";")
	parts[0] = callID
	for i, p := range parts[1:] {
		name, _, _ := strings.Cut(p, "=")
		if tag, ok := tags[strings.ToLower(strings.TrimSpace(name))]; ok {
			parts[i+1] = strings.TrimSpace(name) + "=" + tag
		}
	}
	return strings.Join(parts, ";")
}
