package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
)

// flags returns the flag set of a command. It prints nothing itself: parse does.
func flags(name string) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	return fs
}

// parse reads flags that may stand before or after the other arguments, and
// returns these; "--" ends the flags. --help is answered on standard output.
func parse(fs *flag.FlagSet, args []string, std stdio) ([]string, error) {
	var rest []string
	for {
		var tail []string
		if i := slices.IndexFunc(args, func(arg string) bool { return dashedID(fs, arg) }); i >= 0 && !slices.Contains(args[:i], "--") {
			args, tail = args[:i:i], args[i:]
		}
		before := len(args)
		switch err := fs.Parse(args); {
		case errors.Is(err, flag.ErrHelp):
			describe(fs, std.out)
			return nil, err
		case err != nil:
			return nil, fmt.Errorf("%s; 'sidetrack %s --help' lists the options", wrong(err), fs.Name())
		}
		left := fs.Args()
		if len(left) == 0 && tail != nil {
			rest, args = append(rest, tail[0]), tail[1:]
			continue
		}
		if len(left) == 0 {
			return rest, nil
		}
		if used := before - len(left); used > 0 && args[used-1] == "--" {
			return slices.Concat(rest, left, tail), nil
		}
		rest, args = append(rest, left[0]), append(left[1:], tail...)
	}
}

// spelt are errors of the flag package in the words and with the dashes of our help.
var spelt = []struct {
	its  *regexp.Regexp
	ours string
}{
	{regexp.MustCompile(`^flag provided but not defined: -(\S+)$`), "there is no option --$1"},
	{regexp.MustCompile(`^flag needs an argument: -(\S+)$`), "--$1 needs a value"},
	{regexp.MustCompile(`^invalid (?:boolean )?value ("[^"]*") for (?:flag )?-([^:\s]+): (?:parse error|value out of range)$`), "--$2 cannot be $1"},
	{regexp.MustCompile(`^invalid (?:boolean )?value "[^"]*" for (?:flag )?-([^:\s]+): (.*)$`), "--$1: $2"},
}

func wrong(err error) string {
	s := err.Error()
	for _, t := range spelt {
		s = t.its.ReplaceAllString(s, t.ours)
	}
	return s
}

var anID = regexp.MustCompile(`^-[A-Za-z0-9_-]{21}$`)

// dashedID tells whether an argument is the id of a recording that begins with a
// dash, as one in 64 does, and not an option.
func dashedID(fs *flag.FlagSet, arg string) bool {
	return anID.MatchString(arg) && fs.Lookup(strings.TrimLeft(arg, "-")) == nil
}

// options is parse for a command that takes nothing but flags.
func options(fs *flag.FlagSet, args []string, std stdio) error {
	rest, err := parse(fs, args, std)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("unexpected argument %q; 'sidetrack %s --help' lists the options", rest[0], fs.Name())
	}
	return err
}

// describe is the help of a command.
func describe(fs *flag.FlagSet, w io.Writer) {
	for _, c := range commands() {
		if c.name == fs.Name() {
			fmt.Fprintf(w, "sidetrack %s\n\n%s.\n", strings.TrimSpace(c.name+" "+c.args), strings.ToUpper(c.help[:1])+c.help[1:])
		}
	}
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	first := true
	fs.VisitAll(func(f *flag.Flag) {
		if first {
			fmt.Fprintln(w)
		}
		first = false
		kind, text := flag.UnquoteUsage(f)
		if f.DefValue != "" && f.DefValue != "false" {
			text += " (default " + f.DefValue + ")"
		}
		fmt.Fprintf(t, "  --%s\t%s\n", strings.TrimSpace(f.Name+" "+kind), text)
	})
	t.Flush()
}
