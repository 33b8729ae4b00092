package src

import (
	"errors"

	"sidetrack/internal/sdp"
	"sidetrack/internal/sip/txn"
	"sidetrack/internal/srtp"
)

// SRTP says whether the copies leave encrypted, keyed by SDES (RFC 4568, RFC
// 7866 §12.2), whatever the call's own legs do.
type SRTP string

// The values of SRTP; "" means SRTPOff.
const (
	SRTPOff      SRTP = "off"
	SRTPOptional SRTP = "optional" // an SRS that refuses it with 488 is asked again in clear, when the call may go there in clear
	SRTPRequired SRTP = "required"
)

// defaultSuites are offered when a recorder names none: what is cheap first, and
// what everybody must have (RFC 4568 §6.2.1) last.
var defaultSuites = []srtp.Suite{srtp.AEAD128GCM, srtp.AEAD256GCM, srtp.AESCM128SHA80}

var errSuite = errors.New("unknown SRTP suite")

// seals tells whether SRTP is tried.
func (r *Recorder) seals() bool { return r.SRTP == SRTPOptional || r.SRTP == SRTPRequired }

func (r *Recorder) checkSuites() error {
	if len(r.Suites) == 0 {
		r.Suites = defaultSuites
	}
	for _, s := range r.Suites {
		if master, _ := s.Sizes(); master == 0 {
			return errSuite
		}
	}
	return nil
}

// readyKeys decides how the next SRS is asked, and forgets the keys that the one
// before knows.
func (s *Session) readyKeys() {
	s.sealed = s.recorder.seals() && !s.plain
	s.plain = false
	s.streams.secure = s.sealed || s.recorder.PlainCopy
	for _, st := range s.streams.all {
		st.crypt = crypt{}
	}
	s.follow()
}

// fallBack asks the same SRS once more, in clear, when it takes no SRTP and this
// call may be sent to it like that (RFC 7866 §12). It reports whether it did.
func (s *Session) fallBack(a *attempt, code int) bool {
	if code != codeUnusable || !a.sealed || s.recorder.SRTP != SRTPOptional || !s.mayBeClear() {
		return false
	}
	s.plain = true
	s.plan = append([]int{a.target}, s.plan...)
	s.next()
	return true
}

// mayBeClear tells whether the call's audio may go to the SRS in clear.
func (s *Session) mayBeClear() bool {
	for _, m := range s.cs.Streams {
		if m.Kind == "audio" && m.Secure && !s.recorder.PlainCopy {
			return false
		}
	}
	return true
}

// reaches takes the addresses out to which our keys may not go: SDES is as
// secret as the signalling (RFC 4568 §8.3).
func (a *attempt) reaches(found []txn.Target) []txn.Target {
	if !a.sealed || a.s.recorder.SRTPOverPlain {
		return found
	}
	var out []txn.Target
	for _, t := range found {
		if t.Proto == "tls" {
			out = append(out, t)
		}
	}
	return out
}

const reasonKeysInClear = "the keys of SRTP may not go to it without TLS"

// equip draws the keys that a new m-line offers.
func (s *Session) equip() {
	for _, st := range s.streams.all {
		if !s.sealed || st.crypt.offered != nil {
			continue
		}
		for i, suite := range s.recorder.Suites {
			if k, err := srtp.NewKey(suite); err == nil {
				st.crypt.offered = append(st.crypt.offered, sdp.Crypto{Tag: i + 1, Key: k})
			}
		}
	}
}

// crypt is the SRTP of one m-line with the SRS of the moment. The zero value
// sends in clear.
type crypt struct {
	offered     []sdp.Crypto // once agreed, the one that was chosen
	own, theirs *srtp.Key    // as agreed
}

// dress makes a secure m-line of m.
func (c *crypt) dress(m *sdp.OfferMedia) {
	if len(c.offered) > 0 {
		m.Proto, m.Cryptos = "RTP/SAVP", c.offered
	}
}

// agree takes the keys that an exchange has chosen. Ours stays what it is for
// the life of the dialog, as does its tag.
func (c *crypt) agree(a sdp.AnswerMedia) {
	if len(c.offered) == 0 || a.Own == nil {
		return
	}
	for _, o := range c.offered {
		if o.Key.Equal(a.Own) {
			c.offered = []sdp.Crypto{o}
			break
		}
	}
	c.own, c.theirs = a.Own, a.Theirs
}

// ready tells whether what is to be encrypted can be.
func (c *crypt) ready() bool { return len(c.offered) == 0 || c.own != nil }

// answerKeys is dress for our answer to an offer of the SRS, under its tag.
func answerKeys(m *sdp.OfferMedia, said answered) {
	m.Cryptos = nil
	if said.Own != nil {
		m.Cryptos = []sdp.Crypto{{Tag: said.Tag, Key: said.Own}}
	}
}
