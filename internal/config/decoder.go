package config

import (
	"fmt"
	"log/slog"

	"sidetrack/policy"
)

// decoder is one reading of one file. It collects what is to be said and goes
// on, so that one run finds every mistake.
type decoder struct {
	file     string
	opt      Options
	cfg      *Config
	problems Problems
	checks   []func()                         // across sections; run when the whole file has been read
	routes   map[string]bool                  // names of routes
	named    map[string]int                   // names of recorders and the lines where they begin
	networks []cursor                         // of media.networks
	used     map[string]bool                  // names of recorders that rules give
	visit    func(path string, keys []string) // for tests: the keys of each mapping
}

func newDecoder(file string, opt Options) *decoder {
	if opt.Env == nil {
		opt.Env = func(string) (string, bool) { return "", false }
	}
	if opt.Addresses == nil {
		opt.Addresses = HostAddresses
	}
	return &decoder{file: file, opt: opt, routes: map[string]bool{}, named: map[string]int{}, used: map[string]bool{}, cfg: &Config{
		hidden:  map[*policy.Template]bool{},
		File:    file,
		SIP:     defaultSIP(),
		Media:   defaultMedia(),
		Journal: defaultJournal(),
		HTTP:    defaultHTTP(), Webhooks: defaultWebhooks(), HEP: defaultHEP(), Tracing: defaultTracing(),
		Log: Log{Level: slog.LevelInfo, Format: "text", Rate: DefaultLogRate},
	}}
}

func (d *decoder) addf(line int, key, format string, args ...any) {
	d.problems = append(d.problems, Problem{d.file, line, oneLine(key), oneLine(fmt.Sprintf(format, args...))})
}

func (d *decoder) warnf(line int, key, format string, args ...any) {
	d.cfg.Warnings = append(d.cfg.Warnings, Problem{d.file, line, oneLine(key), oneLine(fmt.Sprintf(format, args...))})
}

// later has check run after the whole file has been read.
func (d *decoder) later(check func()) { d.checks = append(d.checks, check) }

func (d *decoder) decode(data []byte) (*Config, Problems) {
	if root := d.readTree(data); root != nil {
		d.cfg.shown = show("", root)
		d.root(cursor{d, "", root})
	}
	if len(d.problems) > 0 {
		d.problems.sort()
		return nil, d.problems
	}
	d.cfg.Warnings.sort()
	return d.cfg, nil
}

func (d *decoder) root(c cursor) {
	ok := c.read(fields{
		{"sip", d.sip},
		{"routes", d.routeList},
		{"media", d.media},
		{"recorders", d.recorders},
		{"recording", d.ruleList},
		{"journal", d.journal},
		{"http", d.http},
		{"webhooks", d.webhooks},
		{"hep", d.hep},
		{"tracing", d.tracing},
		{"log", d.log},
	})
	if !ok {
		return
	}
	// What follows asks about the whole, in this order: addresses are needed
	// by media and recorders, names by rules.
	d.finishSIP(c)
	d.finishHTTP(c)
	d.finishMedia()
	d.finishNetworks(c)
	d.finishRoutes(c)
	d.finishRecorders()
	d.finishRules(c)
	for _, check := range d.checks {
		check()
	}
}

// section gives the line of a section, for what is missing in it; the first
// line of the file when the section itself is missing.
func (c cursor) section(name string) int {
	for _, e := range c.n.entries {
		if e.name == name {
			return e.line
		}
	}
	return 1
}

const minLogRate = 20

func (d *decoder) log(c cursor) {
	c.read(fields{
		{"level", func(c cursor) {
			if s, ok := c.oneOf("debug", "info", "warn", "error"); ok {
				_ = d.cfg.Log.Level.UnmarshalText([]byte(s)) // cannot fail: one of its own four
			}
		}},
		{"format", func(c cursor) {
			if s, ok := c.oneOf("text", "json"); ok {
				d.cfg.Log.Format = s
			}
		}},
		{"redact", func(c cursor) {
			if s, ok := c.oneOf("none", "numbers"); ok {
				d.cfg.Log.Redact = s == "numbers"
			}
		}},
		{"rate", func(c cursor) {
			var n int
			if c.perSecond(&n); n > 0 && n < minLogRate {
				c.failf("%s is too little to tell anything; write %d/s or more, or 0 for no limit", c.show(), minLogRate)
				return
			}
			d.cfg.Log.Rate = n
		}},
	})
}
