package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"sidetrack/internal/config"
	"sidetrack/internal/demo"
)

func runDemo(args []string, std stdio) error {
	fs := flags("demo")
	out := fs.String("out", "", "`DIR` for the recordings; a new one under the system's temporary folder when not given")
	calls := fs.Int("calls", 2, "`NUMBER` of calls at once, 1 to 50")
	seconds := fs.Float64("seconds", 8, "`LENGTH` of each call, 4 to 600, its hold included")
	asJSON := fs.Bool("json", false, "print the report as JSON and no progress")
	verbose := fs.Bool("verbose", false, "show the logs of all parts")
	if err := options(fs, args, std); err != nil {
		return err
	}
	opt := demo.Options{
		Out: *out, Calls: *calls, Length: time.Duration(*seconds * float64(time.Second)),
		Log: slog.New(slog.DiscardHandler),
	}
	if err := opt.Validate(); err != nil {
		return fmt.Errorf("--%w", err)
	}
	if *verbose {
		opt.Log = slog.New(logHandler(std.err, newLogStyle(config.Log{Format: "text", Rate: config.DefaultLogRate})))
	}
	live := &liveLine{w: std.err, terminal: isTerminal(std.err)}
	if !*asJSON && !*verbose {
		fmt.Fprintln(std.err, "Callers, a PBX, the proxy and two SRSs on loopback; the first SRS answers 503.")
		opt.Progress = live.show
	}
	report, err := demonstrate(opt)
	live.end()
	if err != nil {
		return err
	}
	if err := printDemo(std.out, report, *asJSON); err != nil {
		return err
	}
	if !report.OK {
		return errShown
	}
	return nil
}

// demonstrate runs the demo until it ends or somebody interrupts it; a second
// interrupt ends the program.
func demonstrate(opt demo.Options) (*demo.Report, error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	if opt.Out == "" {
		dir, err := os.MkdirTemp("", "sidetrack-demo-")
		if err != nil {
			return nil, err
		}
		opt.Out = dir
	}
	return demo.Run(ctx, opt)
}

func printDemo(w io.Writer, report *demo.Report, asJSON bool) error {
	if !asJSON {
		printReport(w, report)
		return nil
	}
	b, err := report.JSON()
	if err == nil {
		_, err = fmt.Fprintln(w, string(b))
	}
	return err
}

// liveLine is one line that is rewritten on a terminal; elsewhere a line is
// written for each new phase.
type liveLine struct {
	w        io.Writer
	terminal bool
	phase    string
	shown    bool
}

func (l *liveLine) show(s demo.Status) {
	line := fmt.Sprintf("%4.1f s  %-10s  calls %d  RTP spoken %d, heard %d  SRS 1: %d × 503  SRS 2: %d recording",
		s.Elapsed.Seconds(), s.Phase, s.Calls, s.Spoken, s.Heard, s.Refused, s.Recorded)
	switch {
	case l.terminal:
		fmt.Fprintf(l.w, "\r\x1b[K%s", line)
		l.shown = true
	case s.Phase != l.phase:
		fmt.Fprintln(l.w, line)
	}
	l.phase = s.Phase
}

func (l *liveLine) end() {
	if l.shown {
		fmt.Fprintln(l.w)
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 || os.Getenv("TERM") == "dumb" {
		return false
	}
	null, err := os.Stat(os.DevNull) // a character device that nobody looks at
	return err != nil || !os.SameFile(info, null)
}

// printReport is the table for people, and the files.
func printReport(w io.Writer, r *demo.Report) {
	printStreams(w, r)
	for _, rec := range r.Recordings {
		fmt.Fprintf(w, "\n%s  (%d metadata documents)\n", rec.Folder, rec.Documents)
		for _, f := range rec.Files() {
			fmt.Fprintf(w, "  %s\n", f)
		}
		for _, p := range rec.Problems {
			fmt.Fprintf(w, "  PROBLEM %s\n", p)
		}
	}
	for _, p := range r.Problems {
		fmt.Fprintf(w, "PROBLEM %s\n", p)
	}
	if r.OK {
		fmt.Fprintf(w, "\nRecorded whole, past a failing SRS, each party in its own file: %s, in %.1f s.\n",
			plural(len(r.Recordings), "call"), r.Seconds)
	} else {
		fmt.Fprintln(w, "\nNOT every call was recorded whole.")
	}
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

func printStreams(w io.Writer, r *demo.Report) {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "\nCALL\tSRS ASKED\tLABEL\tPARTY\tCODEC\tPACKETS\tLOST\tSECONDS\tON HOLD\tFILE")
	for _, rec := range r.Recordings {
		var asked []string
		for _, a := range rec.Attempts {
			asked = append(asked, fmt.Sprint(a.Code))
		}
		for i, s := range rec.Streams {
			call, codes := "", ""
			if i == 0 {
				call, codes = rec.Caller+" → "+rec.Callee, strings.Join(asked, ", ")
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%d\t%d\t%.2f\t%.2f\t%s\n", call, codes, s.Label, s.Party, s.Codec,
				s.Packets, s.Lost, s.Seconds, s.Hold, s.File)
		}
	}
	t.Flush()
}
