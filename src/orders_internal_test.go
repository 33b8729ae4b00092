package src

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"sidetrack/internal/sip"
)

// disorder is an SRS that does what it may in any order, and looks at what we send in between.
type disorder struct {
	*timed
	rnd *rand.Rand

	open   *sip.Message // our INVITE that has no final answer
	openAt time.Duration
	theirs *sip.Message // its own that we have answered with 2xx and that it has not acknowledged
	at     time.Duration
	asked  map[int]*sip.Message // its requests, by CSeq
	name   int                  // what the callee is called
	known  int                  // what the SRS has taken him to be called
	story  []string
}

func (d *disorder) fail(format string, args ...any) {
	d.t.Helper()
	d.t.Fatalf("%s, after\n%s", fmt.Sprintf(format, args...), strings.Join(d.story, "\n"))
}

func (d *disorder) note(format string, args ...any) {
	d.story = append(d.story, fmt.Sprintf("%v ", d.since())+fmt.Sprintf(format, args...))
}

var nameOf = regexp.MustCompile(`Name(\d+)N`)

// look takes all that has been sent.
func (d *disorder) look() {
	d.t.Helper()
	for m, at := d.ether.take(); m != nil; m, at = d.ether.take() {
		number := int(m.CSeq().Num)
		switch {
		case m.Method == "INVITE" && d.open != nil && d.open.CSeq().Num == m.CSeq().Num: // repeated
		case m.Method == "INVITE":
			d.note("<- INVITE %d sent at %v", number, at)
			if d.open != nil {
				d.fail("INVITE %d while %d has no answer", number, d.open.CSeq().Num)
			}
			if d.theirs != nil && at-d.at < 32*time.Second {
				d.fail("INVITE %d before the ACK of the SRS's", number)
			}
			d.open, d.openAt = m, at
		case m.Method == "OPTIONS":
			d.reply(m, 200)
		case m.Method == "BYE":
			d.fail("BYE")
		case m.Method != "":
		case m.CSeq().Method == "INVITE" && m.Status >= 200:
			req := d.asked[number]
			if d.theirs != nil && d.theirs.CSeq().Num == m.CSeq().Num {
				continue // repeated
			}
			d.note("<- %d for INVITE %d", m.Status, number)
			if m.Status < 300 {
				d.theirs, d.at = req, at
				continue
			}
			if m.Status != 491 {
				d.fail("%d for INVITE %d", m.Status, number)
			}
			d.ack(req)
		}
	}
}

func (d *disorder) ack(req *sip.Message) {
	ack := req.Clone()
	ack.Method = "ACK"
	ack.Set("CSeq", decimal(int(req.CSeq().Num))+" ACK")
	d.receive(ack)
}

func (d *disorder) answer(status int) {
	m := d.open
	d.open = nil
	d.note("-> %d for INVITE %d", status, m.CSeq().Num)
	if all := nameOf.FindAllStringSubmatch(string(m.Body), -1); status == 200 && len(all) > 0 {
		d.known, _ = strconv.Atoi(all[len(all)-1][1])
	}
	d.reply(m, status)
}

// step does one thing.
func (d *disorder) step() {
	switch d.rnd.IntN(7) {
	case 0:
		d.name++
		d.note("Name%dN", d.name)
		d.rename(fmt.Sprintf("Name%dN", d.name))
	case 1, 2:
		if d.open != nil {
			d.answer([]int{200, 200, 491, 500, 503, 488}[d.rnd.IntN(6)])
		}
	case 3:
		d.cseq++
		req := sip.NewRequest([]string{"INVITE", "UPDATE"}[d.rnd.IntN(2)], "sip:192.0.2.1:5060")
		for _, h := range [][2]string{
			{"Via", "SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bK" + decimal(d.cseq)}, {"Max-Forwards", "70"}, {"From", "<sip:192.0.2.7>;tag=theirs"},
			{"To", "<sip:src@192.0.2.1>;tag=ours"}, {"Call-ID", d.s.attempt.callID}, {"CSeq", decimal(d.cseq) + " " + req.Method}, {"Contact", "<sip:192.0.2.7>"},
		} {
			req.Add(h[0], h[1])
		}
		d.note("-> %s %d", req.Method, d.cseq)
		if req.Method == "INVITE" && d.theirs != nil { // it has no business with another before that
			d.acknowledge()
		}
		d.asked[d.cseq] = req
		d.receive(req)
	case 4:
		d.acknowledge()
	default:
		wait := time.Duration(d.rnd.IntN(6000)) * time.Millisecond
		if d.open != nil && d.since()+wait-d.openAt > 20*time.Second { // an INVITE without an answer ends the session
			d.answer(200)
		}
		time.Sleep(wait)
		synctest.Wait()
	}
	d.look()
}

func (d *disorder) acknowledge() {
	if d.theirs != nil {
		d.note("-> ACK %d", d.theirs.CSeq().Num)
		req := d.theirs
		d.theirs = nil
		d.ack(req)
	}
}

// Whatever comes in whatever order: one INVITE at a time in either direction (RFC 3261 §14.1), and when the SRS takes what it is
// told it knows the newest.
func TestAnyOrder(t *testing.T) {
	for seed := range uint64(25) {
		inFakeTime(t, SessionTimer{}, []string{"", "300;refresher=uac"}[seed%2], func(x *timed) {
			d := &disorder{timed: x, rnd: rand.New(rand.NewPCG(seed, 7)), asked: map[int]*sip.Message{}}
			d.story = append(d.story, fmt.Sprintf("seed %d", seed))
			for range 80 {
				d.step()
			}
			d.name++
			d.rename(fmt.Sprintf("Name%dN", d.name))
			d.look()
			for range 20 {
				d.acknowledge()
				d.look()
				if d.open != nil {
					d.answer(200)
					d.look()
				}
				time.Sleep(5 * time.Second)
				synctest.Wait()
				d.look()
			}
			if d.open != nil || d.known != d.name {
				d.fail("the SRS knows of Name%dN, not of Name%dN", d.known, d.name)
			}
		})
	}
}
