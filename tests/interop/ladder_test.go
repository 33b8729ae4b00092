//go:build interop

package interop_test

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A flow is one call as a ladder: who sends what, in order. As sidetrack is to be seen through, both ends of a call see
// the same ladder, and so one text gives the scenario of the caller and that of the callee, and the same two run
// against each other without sidetrack. tests/interop/sipp/README.md has the language.
type flow struct {
	name, rfc string
	lossy     bool // it survives lost packets
	steps     []step
}

// step is a line of the ladder.
type step struct {
	at       string // "" both ends, "caller" or "callee": only there
	fromA    bool   // the caller sends
	what     string // method, status or pause
	method   string // of a status: which request it answers, "" the last open one
	sdp      string // kind of body, "" none
	tag      string // of the callee, for forks
	optional bool   // it may not come
	headers  []string
	checks   []string // regular expressions over the message as received
}

func (s step) status() int {
	n, _ := strconv.Atoi(s.what)
	return n
}

// loadFlows reads every flow of the suite, in the order of files and lines.
func loadFlows(t *testing.T) []flow {
	t.Helper()
	files, _ := filepath.Glob("sipp/flows/*.flow")
	var all []flow
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(f)
		for n := 1; lines.Scan(); n++ {
			line := lines.Text()
			if line == "" || line[0] == '#' {
				continue
			}
			if title, ok := strings.CutPrefix(line, "== "); ok {
				title, rfc, _ := strings.Cut(title, " | ")
				rfc, flag, _ := strings.Cut(rfc, " | ")
				all = append(all, flow{name: title, rfc: rfc, lossy: flag == "lossy"})
				continue
			}
			if len(all) == 0 || !all[len(all)-1].add(line) {
				t.Fatalf("%s:%d: %q is no line of a flow", name, n, line)
			}
		}
		f.Close()
	}
	return all
}

func (f *flow) add(line string) bool {
	if rest, ok := strings.CutPrefix(line, "  "); ok {
		if len(f.steps) == 0 {
			return false
		}
		last := &f.steps[len(f.steps)-1]
		if check, ok := strings.CutPrefix(rest, "? "); ok {
			last.checks = append(last.checks, check)
		} else {
			last.headers = append(last.headers, rest)
		}
		return true
	}
	var s step
	for _, at := range []string{"caller", "callee"} {
		if rest, ok := strings.CutPrefix(line, at); ok {
			s.at, line = at, rest
		}
	}
	words := strings.Fields(line)
	if len(words) < 2 {
		return false
	}
	s.fromA, s.what = words[0] == ">", words[1]
	if words[0] != ">" && words[0] != "<" && words[0] != "-" {
		return false
	}
	for _, w := range words[2:] {
		key, value, _ := strings.Cut(w, "=")
		switch key {
		case "sdp":
			if s.sdp = value; value == "" {
				s.sdp = "audio"
			}
		case "tag":
			s.tag = value
		case "optional":
			s.optional = true
		default:
			s.method = w
		}
	}
	f.steps = append(f.steps, s)
	return true
}

// request is one that a scenario has sent or received.
type request struct {
	fromA  bool
	method string
	cseq   int
	id     int // of the variables that hold the fields of a received one
	first  bool
}

// scenario renders one end of a flow as SIPp's XML.
type scenario struct {
	caller  bool
	out     strings.Builder
	cseq    int
	seen    []request
	version int
	refs    []string
	tag     string
	lossy   bool
	hurried bool // the step follows an ACK of the same end, which may have been lost
	sending bool // the last step was to send
}

// render gives the scenario of one end.
func (f flow) render(caller bool) string {
	side := "callee"
	if caller {
		side = "caller"
	}
	s := &scenario{caller: caller, lossy: f.lossy}
	fmt.Fprintf(&s.out, "<?xml version=\"1.0\" encoding=\"ISO-8859-1\" ?>\n<!DOCTYPE scenario SYSTEM \"sipp.dtd\">\n<!-- %s -->\n<scenario name=\"%s, %s\">\n",
		f.rfc, f.name, side)
	for i, st := range f.steps {
		s.hurried = f.lossy && i > 0 && f.steps[i-1].what == "ACK" && f.steps[i-1].fromA == st.fromA
		switch {
		case st.at != "" && st.at != side:
		case st.what == "pause":
			fmt.Fprintf(&s.out, "  <pause milliseconds=\"%s\"/>\n", st.method)
		case st.fromA == caller:
			s.send(st)
		default:
			s.recv(st)
		}
	}
	if len(s.refs) > 0 {
		fmt.Fprintf(&s.out, "  <Reference variables=\"%s\"/>\n", strings.Join(s.refs, ","))
	}
	s.out.WriteString("</scenario>\n")
	return s.out.String()
}

// answered is the request that a status answers.
func (s *scenario) answered(st step) *request {
	for i := len(s.seen) - 1; i >= 0; i-- {
		if r := &s.seen[i]; r.fromA != st.fromA && (st.method == "" && r.method != "ACK" || r.method == st.method) {
			return r
		}
	}
	panic("no request for " + st.what)
}

// acked is the INVITE that an ACK belongs to.
func (s *scenario) acked(fromA bool) *request {
	for i := len(s.seen) - 1; i >= 0; i-- {
		if r := &s.seen[i]; r.fromA == fromA && r.method == "INVITE" {
			return r
		}
	}
	panic("ACK without INVITE")
}

func (s *scenario) send(st step) {
	retrans := ""
	if st.status() == 0 && st.what != "ACK" {
		retrans = ` retrans="500"`
	}
	var head []string
	if st.status() > 0 {
		r := s.answered(st)
		if r.method == "INVITE" && st.status() >= 200 {
			retrans = ` retrans="500"`
		}
		to := fmt.Sprintf("To:[$to%d]", r.id)
		if r.first && st.status() > 100 {
			to += ";tag=" + s.local(st.tag)
		}
		head = []string{
			fmt.Sprintf("SIP/2.0 %s %s", st.what, phrase(st.status())), fmt.Sprintf("Via:[$via%d]", r.id), fmt.Sprintf("From:[$from%d]", r.id), to,
			"Call-ID: [call_id]", fmt.Sprintf("CSeq:[$cseq%d]", r.id),
		}
		if st.status() > 100 && st.status() < 300 && r.method != "BYE" && r.method != "CANCEL" && r.method != "REGISTER" {
			head = append(head, "Contact: <sip:"+s.user()+"@[local_ip]:[local_port];transport=[transport]>")
		}
	} else {
		head = s.request(st)
	}
	switch {
	case s.hurried: // SIPp repeats its ACK for a repeated 200 until its next request is out: .5, 1.5 and 3.5 s
		s.out.WriteString("  <pause milliseconds=\"4000\"/>\n")
	case s.sending && st.what != "BYE":
		s.out.WriteString("  <pause milliseconds=\"50\"/>\n") // the other end must come to its own turn
	}
	s.sending = true
	fmt.Fprintf(&s.out, "  <send%s>\n    <![CDATA[\n", retrans)
	for _, line := range append(head, st.headers...) {
		s.out.WriteString("      " + line + "\n")
	}
	s.body(st)
	s.out.WriteString("    ]]>\n  </send>\n")
}

func (s *scenario) user() string {
	if s.caller {
		return "caller"
	}
	return "callee"
}

func (s *scenario) local(tag string) string {
	if tag != "" {
		s.tag = tag
	}
	return "[pid]" + s.user()[4:] + "[call_number]" + s.tag
}

// request writes the head of a request of ours.
func (s *scenario) request(st step) []string {
	r := request{fromA: s.caller, method: st.what, first: len(s.seen) == 0}
	failed := false
	switch st.what {
	case "ACK", "CANCEL":
		of := s.acked(s.caller)
		r.cseq, r.first = of.cseq, of.first
		failed = st.what == "CANCEL" || st.method == "failure"
	default:
		s.cseq++
		r.cseq = s.cseq
	}
	own := strings.Fields(strings.Join(st.headers, " "))
	uri, branch := "[$target]", fmt.Sprintf("z9hG4bK[pid]-[call_number]-%s%d", st.what, r.cseq)
	if failed {
		branch = fmt.Sprintf("z9hG4bK[pid]-[call_number]-INVITE%d", r.cseq)
	}
	from, to := fmt.Sprintf("From:[$to1];tag=%s", s.local("")), "To:[$from1]"
	if s.caller {
		from, to = "From: \"Caller\" <sip:caller@[local_ip]:[local_port]>;tag="+s.local(""), "To:[$peer]"
	}
	outside := s.caller && !slices.ContainsFunc(s.seen, func(q request) bool { return q.method == "INVITE" || q.method == "SUBSCRIBE" })
	if st.method == "new" || failed && r.first || outside {
		uri = "sip:[service]@[callee]"
		if st.what == "CANCEL" || st.method == "new" || outside {
			to = "To: <sip:[service]@[callee]>"
		}
	}
	if st.what == "ACK" && failed {
		to = "[last_To:]"
	}
	if st.what == "REGISTER" {
		uri, to = "sip:[callee]", "To: \"Caller\" <sip:caller@[local_ip]:[local_port]>"
	}
	if st.method == "new" {
		r.first = true
	}
	s.seen = append(s.seen, r)
	head := []string{
		fmt.Sprintf("%s %s SIP/2.0", st.what, uri), "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=" + branch,
		from, to, "Call-ID: [call_id]", fmt.Sprintf("CSeq: %d %s", r.cseq, st.what), "Max-Forwards: 70",
	}
	if st.what != "ACK" && st.what != "CANCEL" && st.what != "BYE" && st.what != "PRACK" && !slices.Contains(own, "Contact:") {
		head = append(head, "Contact: <sip:"+s.user()+"@[local_ip]:[local_port];transport=[transport]>")
	}
	return head
}

func (s *scenario) recv(st step) {
	s.sending = false
	if st.status() > 0 {
		s.recvStatus(st)
		return
	}
	r := request{fromA: !s.caller, method: st.what, id: len(s.seen) + 1, first: true}
	for _, q := range s.seen {
		if q.method != "ACK" {
			r.first = false
		}
	}
	if st.method == "new" {
		r.first = true
	}
	s.seen = append(s.seen, r)
	fmt.Fprintf(&s.out, "  <recv request=\"%s\"%s>\n    <action>\n", st.what, s.optional(st))
	if st.what != "ACK" {
		for _, h := range []string{"Via", "From", "To", "CSeq"} {
			s.save(strings.ToLower(h)+strconv.Itoa(r.id), h, ".*")
		}
	}
	if r.id == 1 || st.what == "INVITE" || st.what == "UPDATE" {
		s.saveTarget()
	}
	s.check(st)
	s.out.WriteString("    </action>\n  </recv>\n")
}

func (s *scenario) recvStatus(st step) {
	r := s.answered(st)
	if r.method == "INVITE" && st.status() > 100 {
		s.out.WriteString("  <recv response=\"100\" optional=\"true\"/>\n")
	}
	fmt.Fprintf(&s.out, "  <recv response=\"%s\"%s>\n    <action>\n", st.what, s.optional(st))
	if s.caller && r.first && st.status() > 100 && st.status() < 300 && (r.method == "INVITE" || r.method == "SUBSCRIBE") {
		s.save("peer", "To", ".*")
	}
	if (r.method == "INVITE" || r.method == "SUBSCRIBE") && st.status() > 100 && st.status() < 300 {
		s.saveTarget()
	}
	s.check(st)
	s.out.WriteString("    </action>\n  </recv>\n")
}

func (s *scenario) optional(st step) string {
	if st.optional || s.lossy && unsure(st) {
		return ` optional="true"`
	}
	return ""
}

// unsure is a provisional response that nobody repeats when it is lost.
func unsure(st step) bool {
	return st.status() > 100 && st.status() < 200 && !slices.ContainsFunc(st.headers, func(h string) bool { return strings.HasPrefix(h, "RSeq") })
}

func (s *scenario) save(name, header, what string) {
	fmt.Fprintf(&s.out, "      <ereg regexp=\"%s\" search_in=\"hdr\" header=\"%s:\" assign_to=\"%s\"/>\n", what, header, name)
	s.ref(name)
}

func (s *scenario) saveTarget() {
	s.out.WriteString("      <ereg regexp=\"&lt;([^&gt;]*)&gt;\" search_in=\"hdr\" header=\"Contact:\" assign_to=\"whole,target\"/>\n")
	s.ref("whole")
	s.ref("target")
}

// check demands what the lines beginning with "?" say of a message.
func (s *scenario) check(st step) {
	for _, c := range st.checks {
		name := "check" + strconv.Itoa(len(s.refs))
		fmt.Fprintf(&s.out, "      <ereg regexp=\"%s\" search_in=\"msg\" check_it=\"true\" assign_to=\"%s\"/>\n", escape(c), name)
		s.ref(name)
	}
	if st.sdp != "" && st.status() < 300 {
		name := "check" + strconv.Itoa(len(s.refs))
		fmt.Fprintf(&s.out, "      <ereg regexp=\"%s\" search_in=\"msg\" check_it=\"true\" assign_to=\"%s\"/>\n", escape(marks[st.sdp]), name)
		s.ref(name)
	}
}

func (s *scenario) ref(name string) {
	if !slices.Contains(s.refs, name) {
		s.refs = append(s.refs, name)
	}
}

func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace(s)
}

// marks is what must be in the description as it arrives, by its kind.
var marks = map[string]string{
	"audio": "a=sendrecv", "hold": "a=sendonly", "held": "a=recvonly", "inactive": "a=inactive", "old-hold": "a=old-hold",
	"t38": "m=image [0-9]+ udptl t38", "video": "m=video [0-9]+ RTP/AVP 99", "two": "a=content:slides",
	"bfcp": "m=application [0-9]+ TCP/BFCP", "isup": "itu-t92\\+", "ice": "a=mid:1", "no-video": "m=video 0 RTP/AVP 99",
	"mux": "a=rtcp-mux", "fax-off": "m=image 0 udptl t38", "early": "a=sendrecv",
}

// body writes the end of a message.
func (s *scenario) body(st step) {
	if st.sdp == "" {
		s.out.WriteString("      Content-Length: 0\n\n")
		return
	}
	s.version++
	kind, prefix, suffix := "application/sdp", "", ""
	const audio = "m=audio [media_port] RTP/AVP 8 101\n      a=rtpmap:8 PCMA/8000\n      a=rtpmap:101 telephone-event/8000\n"
	media := map[string]string{
		"audio": audio + "      a=sendrecv\n", "hold": audio + "      a=sendonly\n", "held": audio + "      a=recvonly\n",
		"inactive": audio + "      a=inactive\n", "old-hold": audio + "      a=old-hold\n", "early": audio + "      a=sendrecv\n",
		"t38":      "m=image [media_port] udptl t38\n      a=T38FaxVersion:0\n      a=T38MaxBitRate:14400\n      a=T38FaxUdpEC:t38UDPRedundancy\n",
		"fax-off":  "m=image 0 udptl t38\n",
		"video":    audio + "      a=sendrecv\n      m=video [media_port] RTP/AVP 99\n      b=TIAS:512000\n      a=rtpmap:99 H264/90000\n      a=fmtp:99 profile-level-id=42801F\n",
		"no-video": audio + "      a=sendrecv\n      m=video 0 RTP/AVP 99\n      a=rtpmap:99 H264/90000\n",
		"two":      audio + "      a=sendrecv\n      m=audio [media_port] RTP/AVP 0\n      a=content:slides\n",
		"bfcp":     audio + "      a=sendrecv\n      m=application 9 TCP/BFCP *\n      a=floorctrl:c-only\n      a=setup:actpass\n      a=connection:new\n",
		"ice": "m=audio [media_port] RTP/AVP 8\n      a=rtpmap:8 PCMA/8000\n      a=mid:1\n      a=ice-ufrag:abcd\n      a=ice-pwd:aaaaaaaaaaaaaaaaaaaaaa\n" +
			"      a=candidate:1 1 UDP 2130706431 [media_ip] [media_port] typ host\n",
		"mux":  "m=audio [media_port] RTP/AVP 8\n      a=rtpmap:8 PCMA/8000\n      a=rtcp-mux\n",
		"isup": audio + "      a=sendrecv\n",
	}[st.sdp]
	connection := "[media_ip]"
	if st.sdp == "old-hold" {
		connection = "0.0.0.0"
	}
	if st.sdp == "isup" {
		kind = "multipart/mixed;boundary=edge"
		prefix = "--edge\n      Content-Type: application/sdp\n\n      "
		suffix = "      --edge\n      Content-Type: application/isup;version=itu-t92+\n      Content-Disposition: signal;handling=optional\n\n      x0123\n      --edge--\n"
	}
	fmt.Fprintf(&s.out, "      Content-Type: %s\n      Content-Length: [len]\n\n      %sv=0\n      o=%s 1 %d IN IP4 [local_ip]\n      s=-\n      c=IN IP4 %s\n      t=0 0\n      %s%s\n",
		kind, prefix, s.user(), s.version, connection, media, suffix)
}

var phrases = map[int]string{
	100: "Trying", 180: "Ringing", 181: "Call Is Being Forwarded", 182: "Queued", 183: "Session Progress", 199: "Early Dialog Terminated",
	200: "OK", 202: "Accepted", 302: "Moved Temporarily", 401: "Unauthorized", 407: "Proxy Authentication Required", 480: "Temporarily Unavailable",
	486: "Busy Here", 487: "Request Terminated", 488: "Not Acceptable Here", 603: "Decline",
}

func phrase(status int) string {
	if p := phrases[status]; p != "" {
		return p
	}
	return "Status " + strconv.Itoa(status)
}

var fileName = regexp.MustCompile(`[^a-z0-9]+`)

// write puts both scenarios of a flow into a folder.
func (f flow) write(t *testing.T, dir string) (caller, callee string) {
	t.Helper()
	base := strings.Trim(fileName.ReplaceAllString(strings.ToLower(f.name), "_"), "_")
	names := [2]string{filepath.Join(dir, base+"_caller.xml"), filepath.Join(dir, base+"_callee.xml")}
	for i, name := range names {
		if err := os.WriteFile(name, []byte(f.render(i == 0)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return names[0], names[1]
}
