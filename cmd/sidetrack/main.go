package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	_ "time/tzdata" // zones of rules, where the host has none: containers
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
		{"check", "[--config FILE] [--invite FILE]", "validate a configuration and tell what it would do, also with an INVITE", check},
		{"demo", "[--out DIR] [--calls N] [--seconds N] [--json]", "record calls in a whole system on loopback", runDemo},
		{"recorder", "[--listen URL]… [--out DIR]", "run the embedded SRS alone", runRecorder},
		{"top", "[--every 2s] [--rows N] [--search TEXT]", "show calls, recordings and SRSs as they are, again and again", top},
		{"calls", "[ID] [--json]", "show live calls", showCalls},
		{"recordings", "[ID] [--since 24h] [--result missed] [--json]", "show live and recently ended recordings, or the journal", showRecordings},
		{"ladder", "CALL [--redact] [--pcap FILE]", "draw the SIP messages of a call and its recordings", ladder},
		{"capture", "CALL [--pcap FILE] [--limit 30s]", "write what passes of a call from now on to a file, media included", capture},
		{"tail", "[--type TYPES] [--count N]", "follow the events", tail},
		{"start", "CALL --recorder NAME [--name NAME] [--tracks both] [--parameter NAME=VALUE]…", "record a running call", startRecording},
		{"pause", "ID", "pause a recording", pause},
		{"mask", "ID", "hide what is said from a recording while it goes on", mask("mask")},
		{"unmask", "ID", "undo a mask", mask("unmask")},
		{"tag", "ID NAME=VALUE…", "add parameters to a recording", tag},
		{"move", "ID", "take a recording to another SRS of its recorder", move},
		{"resume", "ID", "resume a recording", control("resume")},
		{"stop", "ID", "stop a recording; its call goes on", control("stop")},
		{"lint", "FILE… [--json]", "judge SIPREC messages (pcap, text, XML) with the eyes of a strict recorder", runLint},
		{"srs", "", "show all SRSs and how they are", showSRSs},
		{"drain", "RECORDER/INDEX", "give an SRS no new recordings", drain("drain")},
		{"enable", "RECORDER/INDEX", "undo drain, and whatever else is held against an SRS", drain("enable")},
		{"rules", "", "show routes and recording rules in the order in which they are tried", showRules},
		{"reload", "", "have the proxy load its configuration file again", reloadFile},
		{"completion", "bash|zsh|fish", "print a script that completes commands, options and ids", completion},
		{"version", "", "print version, commit and Go version", version},
	}
}

func main() {
	runtime.MemProfileRate = 0 // nobody can ask for that profile, and taking samples for it costs each call
	// A reader of our output that goes away must not end a proxy.
	signal.Ignore(syscall.SIGPIPE)
	os.Exit(run(os.Args[1:], stdio{os.Stdout, os.Stderr}))
}

// run is the program; its result is the exit status.
func run(args []string, std stdio) int {
	if len(args) == 0 {
		usage(std.err)
		return 1
	}
	name, args := args[0], args[1:]
	switch name {
	case "help", "-h", "-help", "--help":
		if len(args) == 0 {
			usage(std.out)
			return 0
		}
		name, args = args[0], []string{"--help"}
	case "-v", "-version", "--version":
		name = "version"
	}
	for _, c := range commands() {
		if c.name != name {
			continue
		}
		switch err := c.run(args, std); {
		case err == nil, errors.Is(err, flag.ErrHelp):
			return 0
		case errors.Is(err, errShown):
			return 1
		default:
			fmt.Fprintf(std.err, "sidetrack %s: %v\n", name, err)
			return 1
		}
	}
	fmt.Fprintf(std.err, "sidetrack: there is no command %q; 'sidetrack help' lists them\n", name)
	return 1
}

func usage(w io.Writer) {
	fmt.Fprint(w, "sidetrack records the calls that pass through it (SIPREC, RFC 7866).\n\nUsage:\n\n")
	for _, c := range commands() {
		fmt.Fprintf(w, "  sidetrack %-11s %s\n", c.name, c.help)
	}
	fmt.Fprint(w, "\n'sidetrack COMMAND --help' lists the options of a command.\n")
}
