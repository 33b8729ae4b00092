package src

import (
	"sidetrack/internal/sip"
	"sidetrack/internal/sip/transport"
	"sidetrack/internal/sip/txn"
)

// lastWord is the UPDATE with the last document, for an SRS that takes none in
// a BYE (RFC 7866 §9.1). Whatever becomes of it, the BYE follows, after the
// recorder's timeout at the latest.
type lastWord struct {
	bye   *bye
	timer *txn.Timer
	over  bool
}

func (w *lastWord) send() {
	b := w.bye
	req := b.leg.dialog.Request("UPDATE")
	req.Add("Contact", b.leg.contact)
	b.s.dress(req)
	if err := b.s.recorder.Dialect.fillDocument(req, b.last); err != nil {
		b.s.log.Warn("last document left out", "error", err)
		w.end()
		return
	}
	w.timer = b.s.lane.After(b.s.recorder.Timeout, w.end)
	b.leg.request(req, w)
}

// OnResponse takes the answer (txn.ClientHandler).
func (w *lastWord) OnResponse(_ *txn.ClientTx, resp *sip.Message, _ transport.Flow) {
	if resp.Status >= 200 {
		w.end()
	}
}

// OnFail is told that there will be none (txn.ClientHandler).
func (w *lastWord) OnFail(*txn.ClientTx, error) { w.end() }

func (w *lastWord) end() {
	if w.over {
		return
	}
	w.over = true
	w.timer.Stop()
	w.bye.last = nil
	w.bye.send()
}
