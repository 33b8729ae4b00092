// Command conformance runs the tests that the lists of tests/conformance name and prints a line for each rule: its id, its
// level, the tests that hold it, and what they said in this run. It ends with 1 when a test failed or did not run, or when
// a must is without proof and without a reason.
//
//	go run ./tests/tools/conformance [-list rules] [-id SRC-] [-json]
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"sidetrack/tests/conformance"
)

func main() {
	list := flag.String("list", "", "one list: rules or matrix; both when empty")
	prefix := flag.String("id", "", "only rules whose id begins so")
	asJSON := flag.Bool("json", false, "one JSON object per rule")
	flag.Parse()
	if err := report(*list, *prefix, *asJSON); err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(1)
	}
}

// line is a rule with the results of this run.
type line struct {
	List    string            `json:"list"`
	ID      string            `json:"id"`
	Level   string            `json:"level"`
	Text    string            `json:"text"`
	Source  string            `json:"source"`
	Verdict string            `json:"verdict"` // proven, reason, failed, unproven
	Tests   map[string]string `json:"tests"`   // pass, fail, skip, missing
	Reason  string            `json:"reason,omitempty"`
	order   []string
}

func report(list, prefix string, asJSON bool) error {
	var lines []*line
	proofs := map[string][]conformance.Proof{} // by folder
	for _, name := range conformance.Lists() {
		if list != "" && list != name {
			continue
		}
		rules, err := conformance.Load(name)
		if err != nil {
			return err
		}
		for _, r := range rules {
			if !strings.HasPrefix(r.ID, prefix) {
				continue
			}
			l := &line{List: name, ID: r.ID, Level: r.Level, Text: r.Text, Source: r.Source, Reason: r.Reason, Tests: map[string]string{}}
			for _, p := range r.Proofs {
				l.order = append(l.order, p.String())
				l.Tests[p.String()] = "missing"
				proofs[p.Dir()] = append(proofs[p.Dir()], p)
			}
			lines = append(lines, l)
		}
	}
	results, err := run(proofs)
	if err != nil {
		return err
	}
	return tell(lines, results, asJSON)
}

// run runs the tests, package by package, and gives what each test and subtest said.
func run(proofs map[string][]conformance.Proof) (map[string]string, error) {
	results := map[string]string{}
	dirs := make([]string, 0, len(proofs))
	for dir := range proofs {
		dirs = append(dirs, dir)
	}
	slices.Sort(dirs)
	for _, dir := range dirs {
		var names []string
		for _, p := range proofs[dir] {
			if !slices.Contains(names, p.Func()) {
				names = append(names, p.Func())
			}
		}
		fmt.Fprintf(os.Stderr, "running %d tests of %s\n", len(names), dir)
		cmd := exec.Command("go", "test", "-json", "-timeout", "10m", "-run", "^("+strings.Join(names, "|")+")$", "./"+dir)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			return nil, err
		}
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		in := bufio.NewScanner(out)
		in.Buffer(nil, 1<<20)
		for in.Scan() {
			var e struct{ Action, Test, Output string }
			switch err := json.Unmarshal(in.Bytes(), &e); {
			case err != nil || e.Test == "":
			case e.Action == "pass" || e.Action == "fail" || e.Action == "skip":
				results[proofs[dir][0].Package+":"+e.Test] = e.Action
			case strings.Contains(e.Output, "_test.go:"): // what a test complains of
				fmt.Fprintf(os.Stderr, "%s: %s\n", e.Test, strings.TrimSpace(e.Output))
			}
		}
		_ = cmd.Wait() // a failed test is in the results
	}
	return results, nil
}

func tell(lines []*line, results map[string]string, asJSON bool) error {
	bad, counts := 0, map[string]int{}
	for _, l := range lines {
		l.judge(results)
		counts[l.Verdict]++
		if l.Verdict == "failed" || l.Verdict == "unproven" {
			bad++
		}
		if asJSON {
			text, err := json.Marshal(l)
			if err != nil {
				return err
			}
			fmt.Println(string(text))
			continue
		}
		l.print()
	}
	if !asJSON {
		fmt.Printf("\n%d rules: %d proven, %d with a reason, %d failed, %d unproven\n",
			len(lines), counts["proven"], counts["reason"], counts["failed"], counts["unproven"])
	}
	if bad > 0 {
		return fmt.Errorf("%d rules do not hold", bad)
	}
	return nil
}

func (l *line) judge(results map[string]string) {
	l.Verdict = "proven"
	for name := range l.Tests {
		if r := results[name]; r != "" {
			l.Tests[name] = r
		}
		if l.Tests[name] != "pass" {
			l.Verdict = "failed"
		}
	}
	if len(l.Tests) == 0 {
		l.Verdict = "reason"
		if l.Reason == "" {
			l.Verdict = "unproven"
		}
	}
}

func (l *line) print() {
	fmt.Printf("%-8s %s %-9s %s (%s)\n", l.ID, l.Level, l.Verdict, l.Text, l.Source)
	for _, name := range l.order {
		fmt.Printf("%22s %s\n", l.Tests[name], name)
	}
	if l.Reason != "" {
		fmt.Printf("%22s %s\n", "-", l.Reason)
	}
}
