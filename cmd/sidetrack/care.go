package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
)

const srsHeader = "RECORDER\tINDEX\tSRS\tSTATE\tUNTIL\tFAILURES\tSESSIONS"

type srsRow struct {
	Recorder, SRS, State      string
	Index, Failures, Sessions int
	Until                     time.Time
}

func (v srsRow) line() string {
	until := ""
	if !v.Until.IsZero() {
		until = v.Until.Local().Format(time.TimeOnly)
	}
	return fmt.Sprintf("%s\t%d\t%s\t%s\t%s\t%d\t%d", v.Recorder, v.Index, clean(v.SRS), v.State, until, v.Failures, v.Sessions)
}

func showSRSs(args []string, std stdio) error {
	fs, c := clientFlags("srs", std)
	if err := options(fs, args, std); err != nil {
		return err
	}
	return show(c, "srs", nil, srsHeader, srsRow.line)
}

func showRules(args []string, std stdio) error {
	fs, c := clientFlags("rules", std)
	if err := options(fs, args, std); err != nil {
		return err
	}
	type ruleRow struct {
		Kind, Name, Outcome string
		Place               int
		Match               []string
	}
	return show(c, "rules", nil, "KIND\tPLACE\tNAME\tMATCH\tOUTCOME", func(v ruleRow) string {
		return fmt.Sprintf("%s\t%d\t%s\t%s\t%s", v.Kind, v.Place, clean(v.Name), clean(strings.Join(v.Match, " and ")), clean(v.Outcome))
	})
}

// drain is the command that keeps new recordings away from an SRS, or lets them
// come again.
func drain(verb string) func([]string, stdio) error {
	return func(args []string, std stdio) error {
		fs, c := clientFlags(verb, std)
		rest, err := parse(fs, args, std)
		if err != nil {
			return err
		}
		recorder, index, ok := "", "", len(rest) == 1
		if ok {
			recorder, index, ok = strings.Cut(rest[0], "/")
		}
		if !ok {
			return errors.New("which SRS? Write RECORDER/INDEX, such as main/0; 'sidetrack srs' lists them")
		}
		out, err := c.do("POST", "srs/"+url.PathEscape(recorder)+"/"+url.PathEscape(index)+"/"+verb, nil)
		if err != nil {
			return err
		}
		if c.json {
			return c.print(out)
		}
		var v srsRow
		if err := json.Unmarshal(out, &v); err != nil {
			return fmt.Errorf("reading the API's answer: %w", err)
		}
		fmt.Fprintf(std.out, "%s %s, %d sessions\n", clean(v.SRS), v.State, v.Sessions)
		return nil
	}
}

// reloadFile is the command that has the proxy load its file again.
func reloadFile(args []string, std stdio) error {
	fs, c := clientFlags("reload", std)
	if err := options(fs, args, std); err != nil {
		return err
	}
	out, err := c.do("POST", "reload", nil)
	if err != nil {
		return err
	}
	if c.json {
		return c.print(out)
	}
	var v struct {
		File    string
		Restart []string
	}
	if err := json.Unmarshal(out, &v); err != nil {
		return fmt.Errorf("reading the API's answer: %w", err)
	}
	fmt.Fprintf(std.out, "%s is in force\n", v.File)
	if len(v.Restart) > 0 {
		fmt.Fprintf(std.out, "after a restart: %s\n", strings.Join(v.Restart, ", "))
	}
	return nil
}
