package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"sidetrack/internal/app"
	"sidetrack/internal/config"
	"sidetrack/internal/lint"
)

// rehearsal are the flags of check that try an INVITE out.
type rehearsal struct {
	file, call, from, listener, at string
	ask, json                      bool
}

func (r *rehearsal) register(fs *flag.FlagSet) {
	fs.StringVar(&r.file, "invite", "", "tell what would become of the INVITE in `FILE`, a capture (pcap, pcapng) or text; - is standard input")
	fs.StringVar(&r.call, "call", "", "`CALL-ID` of the INVITE where the file has several; the first when not given")
	fs.StringVar(&r.from, "from", "", "`ADDRESS` that the INVITE comes from; else as the capture or its top Via says")
	fs.StringVar(&r.listener, "listener", "", "`URL` of the socket of sip.listen that it comes in by; the first that fits when not given")
	fs.StringVar(&r.at, "at", "", "`TIME` at which it comes, such as 2026-03-02T10:15:00Z; now when not given")
	fs.BoolVar(&r.ask, "ask", false, "ask the programs that decide, which else are only named")
	fs.BoolVar(&r.json, "json", false, "print what would become of the INVITE as JSON")
}

// alone refuses flags that mean nothing without --invite.
func (r *rehearsal) alone() error {
	if r.file != "" {
		return nil
	}
	for _, f := range []struct {
		name string
		set  bool
	}{{"call", r.call != ""}, {"from", r.from != ""}, {"listener", r.listener != ""}, {"at", r.at != ""}, {"ask", r.ask}, {"json", r.json}} {
		if f.set {
			return fmt.Errorf("--%s goes with --invite FILE", f.name)
		}
	}
	return nil
}

// run tells what would become of the INVITE. It fails when there would be no
// call, or when a recording that a rule wants would not begin.
func (r *rehearsal) run(cfg *config.Config, std stdio) error {
	opt := app.RehearseOptions{Listener: r.listener, Ask: r.ask}
	opt.Version, _ = build()
	var err error
	if r.from != "" {
		if opt.Source, err = netip.ParseAddr(strings.Trim(r.from, "[]")); err != nil {
			return fmt.Errorf("--from %s: write an IP address such as 192.0.2.9", r.from)
		}
	}
	if r.at != "" {
		if opt.At, err = time.Parse(time.RFC3339, r.at); err != nil {
			return fmt.Errorf("--at %s: write a time such as 2026-03-02T10:15:00Z or 2026-03-02T10:15:00+01:00", r.at)
		}
	}
	f, err := r.find(std)
	if err != nil {
		return err
	}
	result, err := app.Rehearse(context.Background(), cfg, f, opt)
	if err != nil {
		return err
	}
	if r.json {
		if err := json.NewEncoder(std.out).Encode(result); err != nil {
			return err
		}
	} else {
		tell(result, f, std.out)
	}
	if result.Refused != "" || result.Outgoing == nil || slices.ContainsFunc(result.Recordings, failing) {
		return errShown
	}
	return nil
}

// failing tells a recording that an SRS would never hear of although it should.
func failing(v app.RehearsedRecording) bool { return v.Sent == nil && !v.Meant }

// find reads the file and chooses the INVITE.
func (r *rehearsal) find(std stdio) (app.FoundInvite, error) {
	data, err := readInput(r.file)
	if err != nil {
		return app.FoundInvite{}, err
	}
	found, err := app.ReadInvites(data)
	if err != nil {
		return app.FoundInvite{}, fmt.Errorf("%s: %w", r.file, err)
	}
	i := slices.IndexFunc(found, func(f app.FoundInvite) bool { return r.call == "" || f.CallID == r.call })
	if i < 0 {
		return app.FoundInvite{}, fmt.Errorf("%s: no INVITE with the Call-ID %s", r.file, r.call)
	}
	if n := len(found); n > 1 && r.call == "" {
		fmt.Fprintf(std.err, "%s holds %d INVITEs; this is the first, of Call-ID %s (--call chooses)\n", r.file, n, clean(found[i].CallID))
	}
	return found[i], nil
}

// readInput reads a file, or standard input for -, as far as is reasonable.
func readInput(name string) ([]byte, error) {
	in := io.Reader(os.Stdin)
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, lint.MaxFile+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, err)
	case len(data) > lint.MaxFile:
		return nil, fmt.Errorf("%s: more than %d bytes", name, lint.MaxFile)
	case len(data) == 0:
		return nil, errors.New(name + ": empty")
	}
	return data, nil
}

// tell prints a rehearsal for people.
func tell(v *app.Rehearsal, f app.FoundInvite, w io.Writer) {
	in := v.Invite
	fmt.Fprintf(w, "INVITE %s (%s)\n", clean(in.RequestURI), f.Where)
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, row := range [][2]string{{"from", in.From}, {"to", in.To}, {"Call-ID", in.CallID}, {"sent by", in.Source}, {"received on", in.Listener}, {"at", in.At.Format("Mon " + time.RFC3339)}} {
		fmt.Fprintf(t, "  %s\t%s\n", row[0], clean(row[1]))
	}
	t.Flush()
	tellTrials("Routes", v.Routes, w)
	if v.Refused != "" || v.Outgoing == nil {
		fmt.Fprintf(w, "\nNo call: the caller gets %s\n", clean(orElse(v.Refused, "no answer")))
		return
	}
	tellTrials("Recording rules", v.Rules, w)
	line, _, _ := strings.Cut(v.Outgoing.Head, "\n")
	fmt.Fprintf(w, "\nThe call goes out as: %s (%s, by %s)\n", clean(line), v.Outgoing.Proto, v.Outgoing.From)
	if len(v.Recordings) == 0 {
		fmt.Fprintln(w, "\nNot recorded: no rule wants it")
	}
	for _, r := range v.Recordings {
		tellRecording(r, w)
	}
}

func tellTrials(title string, all []app.RehearsedRule, w io.Writer) {
	fmt.Fprintf(w, "\n%s\n", title)
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for i, r := range all {
		fmt.Fprintf(t, "  %d\t%s\t%s\n", i+1, clean(r.Name), r.State)
		for _, m := range r.Missed {
			fmt.Fprintf(t, "\t\t  %s: wants %s, sees %s\n", clean(m.Key), clean(m.Wants), clean(orElse(m.Sees, "nothing")))
		}
		if r.State == "matched" {
			fmt.Fprintf(t, "\t\t  -> %s\n", clean(r.Outcome))
		}
	}
	if len(all) == 0 {
		fmt.Fprintln(t, "  none")
	}
	t.Flush()
}

func tellRecording(r app.RehearsedRecording, w io.Writer) {
	fmt.Fprintf(w, "\nRecording %s by recorder %s, rule %s\n", clean(r.Name), clean(r.Recorder), clean(r.Rule))
	if r.Decide != "" {
		fmt.Fprintf(w, "  %s is asked first\n", clean(r.Decide))
	}
	if len(r.SRS) > 0 {
		fmt.Fprintf(w, "  tries %s\n", clean(strings.Join(r.SRS, ", then ")))
	}
	if r.Sent == nil {
		fmt.Fprintf(w, "  nothing is sent: %s\n", clean(r.Reason))
		return
	}
	for _, text := range []string{r.Sent.Head, r.Sent.SDP, r.Sent.Metadata} {
		fmt.Fprintln(w)
		for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
			fmt.Fprintln(w, strings.TrimRight("    "+clean(line), " "))
		}
	}
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
