package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"
)

// all reads every page of a list.
func (c *client) all(path string) (items []json.RawMessage, err error) {
	err = c.pages(path, url.Values{}, func(page []json.RawMessage) error {
		items = append(items, page...)
		return nil
	})
	return items, err
}

// pages reads a list page by page; what is asked for goes with each request.
func (c *client) pages(path string, q url.Values, each func([]json.RawMessage) error) error {
	q.Set("limit", "1000")
	for {
		out, err := c.do("GET", path+"?"+q.Encode(), nil)
		if err != nil {
			return err
		}
		var page struct {
			Items []json.RawMessage
			Next  string
		}
		if err := json.Unmarshal(out, &page); err != nil {
			return fmt.Errorf("reading the API's answer: %w", err)
		}
		if err := each(page.Items); err != nil || page.Next == "" {
			return err
		}
		q.Set("cursor", page.Next)
	}
}

// show prints one value, or a list as a table.
func show[T any](c *client, path string, args []string, header string, row func(T) string) error {
	if len(args) > 1 {
		return fmt.Errorf("unexpected argument %q: one id, or none for the list", args[1])
	}
	if len(args) == 1 {
		out, err := c.do("GET", path+"/"+url.PathEscape(args[0]), nil)
		if err != nil {
			return err
		}
		return c.print(out)
	}
	items, err := c.all(path)
	if err != nil {
		return err
	}
	if c.json {
		for _, i := range items {
			fmt.Fprintln(c.std.out, string(i))
		}
		return nil
	}
	w := tabwriter.NewWriter(c.std.out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, header)
	for _, i := range items {
		var v T
		if err := json.Unmarshal(i, &v); err != nil {
			return fmt.Errorf("reading the API's answer: %w", err)
		}
		fmt.Fprintln(w, cells(row(v)))
	}
	return w.Flush()
}

// cells is a row whose cells hold nothing but text, whatever others have sent.
func cells(row string) string {
	parts := strings.Split(row, "\t")
	for i := range parts {
		parts[i] = clean(parts[i])
	}
	return strings.Join(parts, "\t")
}

// print writes one JSON value, indented for people.
func (c *client) print(out []byte) error {
	if c.json {
		_, err := c.std.out.Write(out)
		return err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, out, "", "  "); err != nil {
		return err
	}
	_, err := c.std.out.Write(escaped(b.Bytes()))
	return err
}

// escaped is JSON without the control characters that JSON takes for text (U+007F to U+009F), and
// terminals do not.
func escaped(b []byte) []byte {
	var out bytes.Buffer
	for _, r := range string(b) {
		if r >= 0x7f && r < 0xa0 {
			fmt.Fprintf(&out, `\u%04x`, r)
		} else {
			out.WriteRune(r)
		}
	}
	return out.Bytes()
}

type callRow struct {
	ID, From, To, State, Route string
	Since                      time.Time
	Recordings                 []string
}

func showCalls(args []string, std stdio) error {
	fs, c := clientFlags("calls", std)
	rest, err := parse(fs, args, std)
	if err != nil {
		return err
	}
	return show(c, "calls", rest, "ID\tSTATE\tSINCE\tFROM\tTO\tROUTE\tRECORDINGS", func(v callRow) string {
		return fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s\t%s", v.ID, v.State, v.Since.Local().Format(time.TimeOnly),
			v.From, v.To, v.Route, strings.Join(v.Recordings, " "))
	})
}

type recordingRow struct {
	ID, Recorder, SRS, State, Reason string
	Since                            time.Time
	Streams                          []struct {
		PacketsIn     uint64 `json:"packets_in"`
		PacketsCopied uint64 `json:"packets_copied"`
	}
}

// packets are those of the parties, and of them what was copied.
func (v recordingRow) packets() (in, copied uint64) {
	for _, s := range v.Streams {
		in += s.PacketsIn
		copied += s.PacketsCopied
	}
	return in, copied
}

func showRecordings(args []string, std stdio) error {
	fs, c := clientFlags("recordings", std)
	var j journalFlags
	j.register(fs)
	rest, err := parse(fs, args, std)
	if err != nil {
		return err
	}
	if j.wanted() {
		if len(rest) > 0 {
			return fmt.Errorf("unexpected argument %q: the journal is asked by --since and --result", rest[0])
		}
		return c.journal(j)
	}
	return show(c, "recordings", rest, "ID\tSTATE\tSINCE\tRECORDER\tSRS\tPACKETS\tCOPIED\tREASON", func(v recordingRow) string {
		in, copied := v.packets()
		return fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%d\t%d\t%s", v.ID, v.State, v.Since.Local().Format(time.TimeOnly),
			v.Recorder, v.SRS, in, copied, v.Reason)
	})
}

// control is the command of one verb on a recording.
func control(verb string) func([]string, stdio) error {
	return func(args []string, std stdio) error {
		fs, c := clientFlags(verb, std)
		return c.oneRecording(fs, args, verb, nil)
	}
}

// pause is the command that stops the copies of a recording.
func pause(args []string, std stdio) error {
	fs, c := clientFlags("pause", std)
	var req struct {
		Limit string `json:"limit,omitempty"`
	}
	fs.StringVar(&req.Limit, "limit", "", "`DURATION` after which it ends by itself, such as 30s; until resumed when not given")
	return c.oneRecording(fs, args, "pause", &req)
}

// mask is the command that hides voices in a recording, and unmask undoes it.
func mask(verb string) func([]string, stdio) error {
	return func(args []string, std stdio) error {
		fs, c := clientFlags(verb, std)
		var req struct {
			Tracks string `json:"tracks,omitempty"`
		}
		fs.StringVar(&req.Tracks, "tracks", "", "whose voice: `SIDES` is caller, callee or both (when not given)")
		return c.oneRecording(fs, args, verb, &req)
	}
}

// oneRecording parses the flags into req and sends it to the recording that the
// command names.
func (c *client) oneRecording(fs *flag.FlagSet, args []string, verb string, req any) error {
	rest, err := parse(fs, args, c.std)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return errors.New("which recording? 'sidetrack recordings' lists their ids")
	}
	out, err := c.do("POST", "recordings/"+url.PathEscape(rest[0])+"/"+verb, req)
	if err != nil {
		return err
	}
	return c.told(out)
}

// tag is the command that adds parameters to a recording.
func tag(args []string, std stdio) error {
	fs, c := clientFlags("tag", std)
	rest, err := parse(fs, args, std)
	if err != nil {
		return err
	}
	if len(rest) < 2 {
		return errors.New("which recording, and what? write ID NAME=VALUE; NAME= takes it away")
	}
	req := struct {
		Parameters parameters `json:"parameters"`
	}{parameters{}}
	for _, p := range rest[1:] {
		if err := req.Parameters.Set(p); err != nil {
			return err
		}
	}
	out, err := c.do("POST", "recordings/"+url.PathEscape(rest[0])+"/tag", &req)
	if err != nil {
		return err
	}
	return c.told(out)
}

// parameters are given as NAME=VALUE, each by itself (flag.Value).
type parameters map[string]string

func (p parameters) String() string { return "" }

// Set adds one.
func (p parameters) Set(text string) error {
	name, value, ok := strings.Cut(text, "=")
	if !ok || name == "" {
		return fmt.Errorf("%q is no parameter; write NAME=VALUE", text)
	}
	p[name] = value
	return nil
}

// move is the command that takes a recording to another SRS.
func move(args []string, std stdio) error {
	fs, c := clientFlags("move", std)
	var req struct {
		SRS string `json:"srs,omitempty"`
	}
	fs.StringVar(&req.SRS, "srs", "", "`URI` of an SRS of the recorder, as in the configuration; the next one when not given")
	return c.oneRecording(fs, args, "move", &req)
}

func startRecording(args []string, std stdio) error {
	fs, c := clientFlags("start", std)
	var req struct {
		Recorder string `json:"recorder"`
		Name     string `json:"name"`
		Tracks   string `json:"tracks"`

		Parameters parameters `json:"parameters,omitempty"`
	}
	req.Parameters = parameters{}
	fs.Var(req.Parameters, "parameter", "`NAME=VALUE` that goes with it; may be given several times")
	fs.StringVar(&req.Recorder, "recorder", "", "`NAME` of a recorder of the configuration")
	fs.StringVar(&req.Name, "name", "", "`NAME` of the recording, unique in its call; the recorder's when not given")
	fs.StringVar(&req.Tracks, "tracks", "both", "which `SIDES`: both, caller or callee")
	rest, err := parse(fs, args, std)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return errors.New("which call? 'sidetrack calls' lists their ids")
	}
	if req.Recorder == "" {
		return errors.New("which recorder? --recorder names one of the configuration")
	}
	out, err := c.do("POST", "calls/"+url.PathEscape(rest[0])+"/recordings", req)
	if err != nil {
		return err
	}
	return c.told(out)
}

// told prints the new state of a recording.
func (c *client) told(out []byte) error {
	if c.json {
		return c.print(out)
	}
	var v struct{ ID, State string }
	if err := json.Unmarshal(out, &v); err != nil {
		return fmt.Errorf("reading the API's answer: %w", err)
	}
	fmt.Fprintf(c.std.out, "%s %s\n", v.ID, v.State)
	return nil
}
