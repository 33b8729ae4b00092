package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"sidetrack/internal/store"
)

// journalFlags say which verdicts of the journal are wanted, and where it is.
type journalFlags struct{ since, until, result, recorder, tag, file string }

func (j *journalFlags) register(fs *flag.FlagSet) {
	fs.StringVar(&j.since, "since", "", "the journal's recordings since `TIME`: 24h for so long ago, 2026-03-01 or 2026-03-01T12:00:00Z")
	fs.StringVar(&j.until, "until", "", "the journal's recordings before `TIME`")
	fs.StringVar(&j.result, "result", "", "the journal's recordings with this `RESULT`: complete, partial, refused, failed, skipped or running; missed: whatever was to be recorded and is not")
	fs.StringVar(&j.recorder, "recorder", "", "the journal's recordings of the recorder `NAME`")
	fs.StringVar(&j.tag, "tag", "", "the journal's recordings with this parameter, `NAME` or NAME=VALUE")
	fs.StringVar(&j.file, "journal", "", "read the journal `FILE` itself, also when no proxy runs")
}

// wanted tells whether the journal was asked for.
func (j journalFlags) wanted() bool { return j != journalFlags{} }

// query checks what was asked for.
func (j journalFlags) query(now time.Time) (store.Query, error) {
	q := store.Query{Result: store.Result(j.result), Recorder: j.recorder, Tag: j.tag, Limit: 1000}
	if j.result != "" && !slices.Contains(store.Results, q.Result) {
		return q, fmt.Errorf("--result %s: write complete, partial, refused, failed, skipped, missed or running", j.result)
	}
	for _, f := range []struct {
		name, text string
		at         *time.Time
	}{{"since", j.since, &q.Since}, {"until", j.until, &q.Until}} {
		if f.text == "" {
			continue
		}
		var ok bool
		if *f.at, ok = instant(f.text, now); !ok {
			return q, fmt.Errorf("--%s %s: write a duration such as 24h, a day such as 2026-03-01, or a time such as 2026-03-01T12:00:00Z", f.name, f.text)
		}
	}
	return q, nil
}

// instant reads a duration as so long ago, a day as its beginning here, or a
// time.
func instant(s string, now time.Time) (time.Time, bool) {
	if d, err := time.ParseDuration(s); err == nil {
		return now.Add(-d), d >= 0
	}
	if t, err := time.ParseInLocation(time.DateOnly, s, now.Location()); err == nil {
		return t, true
	}
	t, err := time.Parse(time.RFC3339, s)
	return t, err == nil
}

// journal prints verdicts page by page, as they come.
func (c *client) journal(j journalFlags) error {
	q, err := j.query(time.Now())
	if err != nil {
		return err
	}
	out := c.verdicts()
	if j.file != "" {
		err = fromFile(j.file, q, out.page)
	} else {
		err = c.pages("journal", values(q), out.page)
		if errors.Is(err, errNoProxy) {
			err = fmt.Errorf("%w; --journal FILE reads the journal itself", err)
		}
	}
	return errors.Join(err, out.flush())
}

// values is a query as the API takes it.
func values(q store.Query) url.Values {
	v := url.Values{}
	for name, s := range map[string]string{"since": rfc3339(q.Since), "until": rfc3339(q.Until), "result": string(q.Result), "recorder": q.Recorder, "tag": q.Tag} {
		if s != "" {
			v.Set(name, s)
		}
	}
	return v
}

func rfc3339(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// fromFile reads a journal without its proxy.
func fromFile(file string, q store.Query, page func([]json.RawMessage) error) (err error) {
	ctx := context.Background()
	r, err := store.OpenReader(ctx, file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	for {
		verdicts, next, err := r.List(ctx, q)
		if err != nil {
			return fmt.Errorf("reading %s: %w", file, err)
		}
		items := make([]json.RawMessage, len(verdicts))
		for i, v := range verdicts {
			if items[i], err = json.Marshal(v); err != nil {
				return err
			}
		}
		if err := page(items); err != nil || next == "" {
			return err
		}
		q.Cursor = next
	}
}

// verdictPrinter writes verdicts as JSON lines or as a table.
type verdictPrinter struct {
	json  bool
	out   io.Writer
	table *tabwriter.Writer
	begun bool
}

func (c *client) verdicts() *verdictPrinter {
	return &verdictPrinter{json: c.json, out: c.std.out, table: tabwriter.NewWriter(c.std.out, 0, 8, 2, ' ', 0)}
}

func (p *verdictPrinter) page(items []json.RawMessage) error {
	if !p.json && !p.begun {
		fmt.Fprintln(p.table, "STARTED\tRESULT\tRECORDER\tSRS\tSECONDS\tPACKETS\tCOPIED\tLOST\tFROM\tTO\tREASON")
	}
	p.begun = true
	for _, item := range items {
		if p.json {
			fmt.Fprintln(p.out, string(item))
			continue
		}
		var v store.Verdict
		if err := json.Unmarshal(item, &v); err != nil {
			return fmt.Errorf("reading the API's answer: %w", err)
		}
		fmt.Fprintln(p.table, verdictRow(v))
	}
	return p.flush()
}

func verdictRow(v store.Verdict) string {
	var in, copied, lost uint64
	for _, st := range v.Streams {
		in += st.PacketsIn
		copied += st.PacketsCopied
		lost += st.Lost
	}
	reason := v.Reason
	if len(v.Alarms) > 0 {
		reason += " (" + strings.Join(v.Alarms, ", ") + ")"
	}
	return fmt.Sprintf("%s\t%s\t%s\t%s\t%.1f\t%d\t%d\t%d\t%s\t%s\t%s", v.Started.Local().Format(time.DateTime), v.Result, v.Recorder,
		v.SRS, v.Seconds, in, copied, lost, v.Call.From, v.Call.To, reason)
}

func (p *verdictPrinter) flush() error { return p.table.Flush() }
