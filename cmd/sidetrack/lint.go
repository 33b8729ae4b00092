package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"sidetrack/internal/lint"
)

// judged is one item of a file as --json tells it.
type judged struct {
	Item     string         `json:"item"`
	Line     int            `json:"line,omitempty"` // of the file, where the item begins
	Findings []lint.Finding `json:"findings"`
}

// runLint judges the SIPREC messages of a file. It fails when a strict recorder would refuse one of them.
func runLint(args []string, std stdio) error {
	fs := flags("lint")
	asJSON := fs.Bool("json", false, "one JSON object per message")
	files, err := parse(fs, args, std)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return errors.New("which FILE? A pcap or pcapng capture, SIP messages as text, or a metadata document")
	}
	refused := false
	for _, name := range files {
		bad, err := lintFile(name, *asJSON, std)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		refused = refused || bad
	}
	if refused {
		return errShown
	}
	return nil
}

func lintFile(name string, asJSON bool, std stdio) (refused bool, err error) {
	info, err := os.Stat(name)
	if err != nil {
		return false, err
	}
	if info.Size() > lint.MaxFile {
		return false, fmt.Errorf("%d bytes, more than %d", info.Size(), lint.MaxFile)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return false, err
	}
	items, err := lint.Read(data)
	if err != nil {
		return false, err
	}
	for i := range items {
		it := &items[i]
		findings := it.Judge()
		for _, f := range findings {
			refused = refused || f.Weight == lint.Must
		}
		if asJSON {
			err = json.NewEncoder(std.out).Encode(judged{it.Name, it.First, append([]lint.Finding{}, findings...)})
			if err != nil {
				return refused, err
			}
			continue
		}
		showFindings(name, it, findings, std)
	}
	return refused, nil
}

func showFindings(name string, it *lint.Item, findings []lint.Finding, std stdio) {
	if len(findings) == 0 {
		fmt.Fprintf(std.out, "%s: %s: nothing that a strict recorder would refuse\n", name, it.Name)
		return
	}
	fmt.Fprintf(std.out, "%s: %s\n", name, it.Name)
	for _, f := range findings {
		place := ""
		if line := f.Line; line > 0 {
			if it.First > 0 {
				line += it.First - 1
			}
			place = fmt.Sprint(line)
		}
		fmt.Fprintf(std.out, "%6s  %-6s %-7s %s: %s\n", place, f.Weight, f.Rule, f.Where, f.Text)
	}
}
