package peer

import "strings"

// numbers judge what acknowledges: an ACK bears the number of its INVITE (RFC 3261 §13.2.2.4, §17.1.1.3), a PRACK names
// that and the RSeq of the response it is for (RFC 3262 §7.2). A peer compares each that comes with what it has sent in
// the dialog itself; of dialogs that it has not answered in, it knows nothing.
type numbers struct {
	finals, reliables map[string][]string // by dialog: CSeq number; RSeq, CSeq number and method
}

// answered notes a response of ours. The peer's lock is held.
func (n *numbers) answered(m *Message) {
	number, method, _ := strings.Cut(m.Get("CSeq"), " ")
	if m.Request() || method != "INVITE" {
		return
	}
	dialog := m.CallID() + " " + m.FromTag() + " " + m.ToTag()
	switch rseq := m.Get("RSeq"); {
	case m.Status() >= 200:
		note(&n.finals, dialog, number)
	case rseq != "":
		note(&n.reliables, dialog, rseq+" "+number+" "+method)
	}
}

func note(all *map[string][]string, dialog, what string) {
	if *all == nil {
		*all = map[string][]string{}
	}
	(*all)[dialog] = append((*all)[dialog], what)
}

// wrong says what is wrong with a request that acknowledges, "" when nothing is. The peer's lock is held.
func (n *numbers) wrong(m *Message) string {
	dialog := m.CallID() + " " + m.FromTag() + " " + m.ToTag()
	number, _, _ := strings.Cut(m.Get("CSeq"), " ")
	known, got := n.finals[dialog], number
	switch {
	case m.Request() && m.Method() == "ACK":
	case m.Request() && m.Method() == "PRACK":
		known, got = n.reliables[dialog], strings.Join(strings.Fields(m.Get("RAck")), " ")
	default:
		return ""
	}
	for _, k := range known {
		if k == got {
			return ""
		}
	}
	if known == nil {
		return ""
	}
	return m.Method() + " for " + got + ", answered was " + strings.Join(known, ", ")
}
