// Command sidetrack is a proxy-side SIPREC Session Recording Client: a B2BUA
// that relays calls to a PBX and has them recorded (RFC 7866).
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

// command is one word after the program's name.
type command struct {
	name, args, help string
	run              func(args []string, io stdio) error
}

// stdio is where a command writes.
type stdio struct{ out, err io.Writer }

// errShown ends the program with status 1; its cause has been told already.
var errShown = errors.New("")

func commands() []command {
	return []command{
		{"serve", "[--config FILE]", "run the proxy", serve},
		{"check", "[--config FILE]", "validate a configuration and tell what it would do", check},
		{"demo", "[--out DIR] [--calls N] [--seconds N] [--json]", "record calls in a whole system on loopback", runDemo},
		{"recorder", "--listen URL… --out DIR", "run the embedded SRS alone", runRecorder},
		{"calls", "[ID] [--json]", "show live calls", showCalls},
		{"recordings", "[ID] [--json]", "show live and recently ended recordings", showRecordings},
		{"start", "CALL [--recorder NAME] [--name NAME] [--tracks both]", "record a running call", startRecording},
		{"pause", "ID", "pause a recording", control("pause")},
		{"resume", "ID", "resume a recording", control("resume")},
		{"stop", "ID", "stop a recording", control("stop")},
		{"version", "", "print version, commit and Go version", version},
	}
}

func main() { os.Exit(run(os.Args[1:], stdio{os.Stdout, os.Stderr})) }

func run(args []string, std stdio) int {
	if len(args) == 0 {
		usage(std.err)
		return 1
	}
	name := args[0]
	switch name {
	case "help", "-h", "-help", "--help":
		usage(std.out)
		return 0
	case "-v", "-version", "--version":
		name = "version"
	}
	for _, c := range commands() {
		if c.name != name {
			continue
		}
		switch err := c.run(args[1:], std); {
		case err == nil, errors.Is(err, flag.ErrHelp):
			return 0
		case errors.Is(err, errShown):
			return 1
		default:
			fmt.Fprintf(std.err, "sidetrack %s: %v\n", name, err)
			return 1
		}
	}
	fmt.Fprintf(std.err, "sidetrack: there is no command %q\n\n", name)
	usage(std.err)
	return 1
}

func usage(w io.Writer) {
	fmt.Fprint(w, "sidetrack records the calls that pass through it (SIPREC, RFC 7866).\n\nUsage:\n\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  sidetrack %-11s %s\n", c.name, c.help)
	}
	fmt.Fprint(w, "\n'sidetrack COMMAND --help' lists the options of a command.\n")
}

// flags returns the flag set of a command, whose --help tells its arguments.
func flags(name string, std stdio) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(std.err)
	fs.Usage = func() {
		for _, c := range commands() {
			if c.name == name {
				fmt.Fprintf(std.out, "sidetrack %s %s\n\n%s\n\n", c.name, c.args, c.help)
			}
		}
		fs.SetOutput(std.out)
		fs.PrintDefaults()
	}
	return fs
}

// parse reads flags that may stand before or after the other arguments, and
// returns these.
func parse(fs *flag.FlagSet, args []string) ([]string, error) {
	var rest []string
	for {
		if err := fs.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return nil, err
			}
			return nil, errShown // the flag set told it
		}
		if fs.NArg() == 0 {
			return rest, nil
		}
		rest = append(rest, fs.Arg(0))
		args = fs.Args()[1:]
	}
}
