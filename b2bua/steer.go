package b2bua

import (
	"strings"

	"sidetrack/internal/sip"
	"sidetrack/internal/sip/txn"
	"sidetrack/metadata"
	"sidetrack/policy"
)

// Header fields by which a party steers the recording of its call: ours, with
// the actions' own names, ;name=RECORDING, and for a tag ;parameter=NAME;value=TEXT,
// and the one that SBCs of AudioCodes understand.
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
	wish, ok := wishOf(req)
	if !ok || c.srv.cfg.Recorder == nil || !c.rec.begun {
		return false
	}
	party := metadata.Caller
	if s == sideB {
		party = metadata.Callee
	}
	taken := false
	c.withRecorder(func(r Recorder) { taken = r.Act(c.id, party, wish) })
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

// wishOf reads the wish of a request.
func wishOf(m *sip.Message) (w policy.Wish, ok bool) {
	value := m.Get(actionHeader)
	if value == "" {
		value = m.Get(actionHeaderOfACs)
	}
	word, rest, _ := strings.Cut(value, ";")
	word = strings.ToLower(strings.TrimSpace(word))
	w.Door = m.Method
	w.Action = policy.Action(strings.TrimSuffix(word, "-siprec"))
	params, err := sip.ParseParams(rest)
	for name, to := range map[string]*string{"name": &w.Recording, "parameter": &w.Parameter, "value": &w.Value} {
		*to, _ = params.Get(name)
	}
	return w, err == nil && word != ""
}
