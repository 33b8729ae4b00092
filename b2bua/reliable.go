package b2bua

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"sidetrack/internal/sip"
)

// reliable is a reliable provisional response that leg A was shown in rewrite
// mode. There all forks are one dialog, whose RSeq numbers must rise by one
// (RFC 3262 §3), so they are numbered anew; the index is the number.
type reliable struct {
	branch *branch
	rseq   string
}

// firstRSeq is the number of the first one.
const firstRSeq = 1

// maxReliable bounds what is remembered of them; more pass as they are.
const maxReliable = 256

// showProvisional fits a 1xx of branch b into what leg A has seen before. With
// one To-tag for all forks leg A is shown the SDP of one fork only, for two
// answers under one tag must not differ (RFC 3261 §13.2.1).
func (c *Call) showProvisional(out *sip.Message, b *branch) {
	if c.legs[sideA].localTag == "" {
		return
	}
	if rseq := out.Get("RSeq"); rseq != "" {
		if n := c.renumber(reliable{b, rseq}); n > 0 {
			out.Set("RSeq", strconv.Itoa(n))
		}
		return // its SDP is an answer, to be acknowledged: it cannot be left out
	}
	if len(out.Body) == 0 {
		return
	}
	if c.preview == nil {
		c.preview = b
	}
	if c.preview != b {
		out.SetBody("", nil)
	}
}

func (c *Call) renumber(r reliable) int {
	for i, o := range c.reliable {
		if o == r {
			return i + firstRSeq
		}
	}
	if len(c.reliable) >= maxReliable {
		return 0
	}
	c.reliable = append(c.reliable, r)
	return len(c.reliable) - 1 + firstRSeq
}

// acknowledges returns the branch and the RSeq that a PRACK of leg A speaks of,
// which may come behind the 2xx (RFC 3262 §3). Responses to a re-INVITE have the
// numbers of leg B.
func (c *Call) acknowledges(prack *sip.Message) (reliable, bool) {
	f := strings.Fields(prack.Get("RAck"))
	if len(f) != 3 || !c.initial.numbered(f[1]) {
		return reliable{}, false
	}
	n, err := strconv.Atoi(f[0])
	if err != nil || n < firstRSeq || n-firstRSeq >= len(c.reliable) {
		return reliable{}, false
	}
	return c.reliable[n-firstRSeq], true
}

// numbered tells whether the asking side calls an INVITE so.
func (x *exchange) numbered(cseq string) bool {
	return x.method == "INVITE" && strconv.FormatUint(uint64(x.cseqIn), 10) == cseq
}

// mapRAck gives a PRACK the numbers that the INVITE and its response have on
// the other leg (RFC 3262 §7.2). The first INVITE has one there for each target
// that was asked: in branch b, it is that of its transaction.
func (c *Call) mapRAck(s side, b *branch, out *sip.Message) {
	f := strings.Fields(out.Get("RAck"))
	if len(f) != 3 {
		return
	}
	if r, ok := c.acknowledges(out); ok && s == sideA {
		f[0] = r.rseq
	}
	for _, o := range append(slices.Clip(c.open), c.initial) {
		if o.from != s || !o.numbered(f[1]) {
			continue
		}
		asked := o.out
		if o == c.initial {
			asked = b.asked.Request()
		}
		out.Set("RAck", fmt.Sprintf("%s %d %s", f[0], asked.CSeq().Num, f[2]))
		return
	}
}
