package src

import (
	"slices"
	"strings"

	"sidetrack/policy"
)

// markHeader tells the proxy that the INVITE belongs to a call that has passed
// it: its value is that call's Call-ID. A route sets it, and the PBX hands it on.
const markHeader = "X-Sidetrack-Call"

// conversations knows which live calls are the same conversation, that passes
// us several times: phone → PBX → phone. Guarded by Client.mu.
type conversations map[string][]*call

// signs are what a conversation's calls have in common: a Call-ID, an end's part
// of the Session-ID (RFC 7989 §4.1), or our mark.
func signs(in *policy.Invite) []string {
	if in == nil {
		return nil
	}
	out := []string{"call " + in.CallID}
	if mark := strings.TrimSpace(in.Header(markHeader)); mark != "" && mark != in.CallID {
		out = append(out, "call "+mark)
	}
	for _, id := range ends(in.Header("Session-ID")) {
		out = append(out, "end "+id)
	}
	return out
}

// ends are the parts of a Session-ID that stand for an end (RFC 7989 §4.1).
func ends(sessionID string) (out []string) {
	for part := range strings.SplitSeq(sessionID, ";") {
		id := strings.ToLower(strings.TrimPrefix(strings.TrimSpace(part), "remote="))
		if len(id) == 32 && strings.Trim(id, "0123456789abcdef") == "" && strings.Trim(id, "0") != "" {
			out = append(out, id)
		}
	}
	return out
}

// enter leaves out of d what another call of the conversation has been given to
// record, when its rule wants it once, and notes what is left.
func (v conversations) enter(k *call) {
	k.signs = signs(k.invite)
	recorded := func(w policy.Wanted) bool {
		return w.Once && slices.ContainsFunc(k.signs, func(sign string) bool {
			return slices.ContainsFunc(v[sign], func(o *call) bool { return o.decision.Records(w.Recorder) })
		})
	}
	if slices.ContainsFunc(k.decision.Wanted, recorded) { // the rule's own list stays as it is
		k.decision.Wanted = slices.DeleteFunc(slices.Clone(k.decision.Wanted), recorded)
	}
	if len(k.decision.Wanted) == 0 {
		k.signs = nil
	}
	for _, sign := range k.signs {
		v[sign] = append(v[sign], k)
	}
}

// leave forgets a call.
func (v conversations) leave(k *call) {
	for _, sign := range k.signs {
		left := slices.DeleteFunc(v[sign], func(o *call) bool { return o == k })
		if len(left) == 0 {
			delete(v, sign)
		} else {
			v[sign] = left
		}
	}
}
