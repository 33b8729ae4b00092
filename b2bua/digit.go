package b2bua

import (
	"strconv"
	"strings"
	"time"

	"sidetrack/forker"
	"sidetrack/internal/sip"
	"sidetrack/internal/sip/body"
	"sidetrack/internal/sip/txn"
)

// digits are the media types of keys in INFO, which no RFC describes.
var digitTypes = []string{"application/dtmf-relay", "application/dtmf"}

// takesDigit tells the relay of a key in an INFO, and answers the INFO where it is
// to go no further. What it was is logged nowhere: it may be a card's.
func (c *Call) takesDigit(s side, tx *txn.ServerTx) bool {
	if tx.Request.Method != "INFO" {
		return false
	}
	d, ok := digitOf(tx.Request)
	d.Side = forker.Side(s)
	if !ok || !c.relay.Press(d) {
		return false
	}
	c.srv.reply(tx, 200, "")
	return true
}

// digitOf reads the key of an INFO.
func digitOf(m *sip.Message) (d forker.Digit, ok bool) {
	for _, contentType := range digitTypes {
		if part, found := body.Find(m, contentType); found {
			return readDigit(string(part.Body))
		}
	}
	return d, false
}

// readDigit reads lines such as Signal=5 and Duration=160 (milliseconds), or a key
// alone. 10 and 11 are * and #, as event codes have them.
func readDigit(text string) (d forker.Digit, ok bool) {
	for line := range strings.Lines(text) {
		name, value, named := strings.Cut(strings.TrimSpace(line), "=")
		if !named {
			name, value = "signal", name
		}
		value = strings.ToUpper(strings.TrimSpace(value))
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "signal":
			if value == "" || ok {
				continue
			}
			if n := strings.Index("1011", value); len(value) == 2 && n >= 0 && n%2 == 0 {
				value = "*#"[n/2 : n/2+1]
			}
			if len(value) != 1 || !strings.Contains("0123456789*#ABCD", value) {
				return d, false
			}
			d.Key, ok = value[0], true
		case "duration":
			if ms, err := strconv.ParseUint(value, 10, 16); err == nil {
				d.Duration = time.Duration(ms) * time.Millisecond
			}
		}
	}
	return d, ok
}
