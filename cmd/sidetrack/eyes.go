package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"
)

// ladder is the command that draws what was said about a call.
func ladder(args []string, std stdio) error {
	fs, c := clientFlags("ladder", std)
	redact := fs.Bool("redact", false, "blacken numbers and names")
	pcap := fs.String("pcap", "", "write a packet capture to `FILE` instead; - is standard output")
	rest, err := parse(fs, args, std)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return errors.New("which call? 'sidetrack calls' lists their ids, and recordings have them as call_id")
	}
	q := url.Values{"redact": {fmt.Sprint(*redact)}}
	what := "ladder"
	switch {
	case *pcap != "":
		what = "pcap"
	case !c.json:
		q.Set("format", "text")
	}
	out, err := c.do("GET", "calls/"+url.PathEscape(rest[0])+"/"+what+"?"+q.Encode(), nil)
	if err != nil {
		return err
	}
	if *pcap != "" && *pcap != "-" {
		return os.WriteFile(*pcap, out, 0o600)
	}
	_, err = std.out.Write(out)
	return err
}

// event is what tail shows of one.
type event struct {
	Type, Server, Instance, Recorder, Reason, From, To string
	Time                                               time.Time
	DlgID                                              string `json:"dlg_id"`
	SessionID                                          string `json:"session_id"`
}

// line is an event for people.
func (e event) line() string {
	s := fmt.Sprintf("%s  %-18s  %s", e.Time.Local().Format("15:04:05.000"), e.Type, e.DlgID)
	for _, more := range []string{e.From, e.To, e.SessionID, e.Instance, e.Server} {
		if more != "" {
			s += "  " + more
		}
	}
	if e.Reason != "" {
		s += "  (" + e.Reason + ")"
	}
	return clean(s)
}

// clean keeps what others have sent from reaching the terminal as more than text.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '?'
		}
		return r
	}, s)
}

// tail is the command that follows the events. It comes back when the proxy
// does, and misses nothing that is still kept there.
func tail(args []string, std stdio) error {
	fs, c := clientFlags("tail", std)
	kinds := fs.String("type", "", "`TYPES` of events, with commas; recording.* stands for all that begin so; all when not given")
	count := fs.Int("count", 0, "end after `N` events; 0 = never")
	if err := options(fs, args, std); err != nil {
		return err
	}
	t := &tailer{client: c, kinds: strings.Split(*kinds, ","), left: *count}
	err := t.follow()
	for err == nil || errors.Is(err, errNoProxy) && t.began {
		time.Sleep(t.pause)
		err = t.follow()
	}
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

var errEnough = errors.New("enough events")

type tailer struct {
	*client
	kinds []string
	left  int    // events until the end; 0: never
	last  string // id of the last one
	began bool
	pause time.Duration
}

// follow prints events until the stream ends: nil, to be followed again.
func (t *tailer) follow() error {
	t.pause = time.Second
	var header []string
	if t.last != "" {
		header = []string{"Last-Event-ID", t.last}
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	resp, err := t.open(ctx, 0, "GET", "events", nil, header...)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	t.began = true
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 4<<20)
	kind := ""
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "id":
			t.last = value
		case "event":
			kind = value
		case "data":
			if !t.wants(kind) {
				continue
			}
			if err := t.tell(value); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *tailer) wants(kind string) bool {
	for _, k := range t.kinds {
		if head, all := strings.CutSuffix(k, "*"); k == "" || k == kind || all && strings.HasPrefix(kind, head) {
			return true
		}
	}
	return false
}

func (t *tailer) tell(data string) error {
	text := data
	if !t.json {
		var e event
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			return fmt.Errorf("reading the API's answer: %w", err)
		}
		text = e.line()
	}
	if _, err := fmt.Fprintln(t.std.out, text); err != nil {
		return err
	}
	if t.left--; t.left == 0 {
		return errEnough
	}
	return nil
}

// overview is what top shows.
type overview struct {
	Now struct {
		Time       time.Time
		NotReady   string `json:"not_ready"`
		Calls      int
		Recordings map[string]int
		Items      []struct {
			ID, From, To, State string
			Since               time.Time
			Recordings          []recordingRow
		}
		SRSs []srsRow `json:"srs"`
	}
}

// top is the command that shows the system as it is, again and again.
func top(args []string, std stdio) error {
	fs, c := clientFlags("top", std)
	every := fs.Duration("every", 2*time.Second, "`TIME` between two looks")
	count := fs.Int("count", 0, "end after `N` looks; 0 = never, but 1 where the output is no terminal")
	rows := fs.Int("rows", 20, "at most `N` calls, the newest")
	search := fs.String("search", "", "only calls with `TEXT` in a party, Call-ID, route or state")
	if err := options(fs, args, std); err != nil {
		return err
	}
	if *every < 100*time.Millisecond || *rows < 1 || *rows > 1000 {
		return errors.New("--every is 100ms or more, --rows from 1 to 1000")
	}
	live := isTerminal(std.out)
	if *count == 0 && !live {
		*count = 1
	}
	q := url.Values{"limit": {fmt.Sprint(*rows)}, "search": {*search}}
	for n := 1; ; n++ {
		out, err := c.do("GET", "overview?"+q.Encode(), nil)
		if err != nil {
			return err
		}
		if err := c.look(out, live && !c.json); err != nil {
			return err
		}
		if n == *count {
			return nil
		}
		time.Sleep(*every)
	}
}

// look shows one overview; live: in the place of the one before.
func (c *client) look(out []byte, live bool) error {
	if c.json {
		_, err := c.std.out.Write(out)
		return err
	}
	var v overview
	if err := json.Unmarshal(out, &v); err != nil {
		return fmt.Errorf("reading the API's answer: %w", err)
	}
	var b strings.Builder
	v.draw(&b)
	text := b.String()
	if live {
		// Home, each line cleared to its end, and what was below it.
		text = "\x1b[H" + strings.ReplaceAll(text, "\n", "\x1b[K\n") + "\x1b[J"
	}
	_, err := io.WriteString(c.std.out, text)
	return err
}

func (v overview) draw(w io.Writer) {
	now := v.Now
	fmt.Fprintf(w, "%s  %d calls", now.Time.Local().Format(time.TimeOnly), now.Calls)
	for _, state := range []string{"starting", "recording", "paused", "moving"} {
		if n := now.Recordings[state]; n > 0 {
			fmt.Fprintf(w, ", %d %s", n, state)
		}
	}
	if now.NotReady != "" {
		fmt.Fprintf(w, "  (%s)", clean(now.NotReady))
	}
	fmt.Fprint(w, "\n\n")
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, srsHeader)
	for _, s := range now.SRSs {
		fmt.Fprintln(t, s.line())
	}
	t.Flush()
	fmt.Fprintln(w)
	fmt.Fprintln(t, "CALL\tSTATE\tFOR\tFROM\tTO\tRECORDING\tSRS\tPACKETS\tCOPIED")
	for _, call := range now.Items {
		head := strings.Join([]string{clean(call.ID), clean(call.State), now.Time.Sub(call.Since).Round(time.Second).String(),
			clean(fit(call.From)), clean(fit(call.To))}, "\t")
		if len(call.Recordings) == 0 {
			fmt.Fprintln(t, head+"\t-\t\t\t")
		}
		for _, r := range call.Recordings {
			in, copied := r.packets()
			fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%d\n", head, clean(r.State), clean(r.SRS), in, copied)
		}
	}
	t.Flush()
}

// fit keeps a column narrow.
func fit(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:39]) + "…"
	}
	return s
}
