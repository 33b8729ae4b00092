package b2bua

import (
	"strings"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/txn"
	"sidetrack/metadata"
	"sidetrack/policy"
)

// Header fields by which a party steers the recording of its call: ours, with
// the actions' own names and ;name=RECORDING, and the one that SBCs of
// AudioCodes understand.
const (
	actionHeader      = "X-Sidetrack-Action"
	actionHeaderOfACs = "X-AC-Action"
)

// takesAction tells the recorder of a wish in an INFO, re-INVITE or UPDATE. An
// INFO that is nothing else has been answered then; the others go on to the other
// party, without our header.
func (c *Call) takesAction(s side, tx *txn.ServerTx) bool {
	req := tx.Request
	switch req.Method {
	case "INFO", "INVITE", "UPDATE":
	default:
		return false
	}
	action, name, ok := actionOf(req)
	if !ok || c.srv.cfg.Recorder == nil || !c.rec.begun {
		return false
	}
	party := metadata.Caller
	if s == sideB {
		party = metadata.Callee
	}
	taken := false
	c.withRecorder(func(r Recorder) { taken = r.Act(c.id, party, action, name) })
	if !taken {
		return false
	}
	req.Del(actionHeader)
	if req.Method != "INFO" {
		return false
	}
	c.srv.reply(tx, 200, "")
	return true
}

// actionOf reads the wish of a request.
func actionOf(m *sip.Message) (action policy.Action, name string, ok bool) {
	value := m.Get(actionHeader)
	if value == "" {
		value = m.Get(actionHeaderOfACs)
	}
	word, params, _ := strings.Cut(value, ";")
	word = strings.ToLower(strings.TrimSpace(word))
	action = policy.Action(strings.TrimSuffix(word, "-siprec"))
	for param := range strings.SplitSeq(params, ";") {
		key, v, _ := strings.Cut(param, "=")
		if strings.EqualFold(strings.TrimSpace(key), "name") {
			name = strings.Trim(strings.TrimSpace(v), `"`)
		}
	}
	return action, name, word != ""
}
