package config

import (
	"math"
	"regexp"
	"strconv"
	"time"
)

// Journal is where the verdict on each recording is kept.
type Journal struct {
	File    string        // SQLite file; "": no journal is kept
	MaxAge  time.Duration // older recordings are removed; 0: never
	MaxSize int64         // bytes, above which the oldest are removed; 0: no limit
}

const (
	maxJournalAge  = 20 * 365 * 24 * time.Hour
	minJournalSize = 1 << 20
)

func defaultJournal() Journal { return Journal{MaxAge: 90 * 24 * time.Hour, MaxSize: 1 << 30} }

func (d *decoder) journal(c cursor) {
	j := &d.cfg.Journal
	var bounded bool
	ok := c.read(fields{
		{"file", func(c cursor) {
			if j.File = d.fileName(c); j.File != "" {
				c.need(func() error {
					if err := fileToWrite(j.File); err != nil || d.cfg.examine == nil {
						return err
					}
					return d.cfg.examine(j.File)
				})
			}
		}},
		{"max_age", func(c cursor) {
			bounded = true
			v, ok := c.duration(0, maxJournalAge, "2160h")
			switch {
			case ok && v != 0 && v < time.Minute:
				c.failf("%s is too short; write a duration from 1m on, or 0 to keep all", c.show())
			case ok:
				j.MaxAge = v
			}
		}},
		{"max_size", func(c cursor) {
			bounded = true
			v, ok := c.size("1GiB")
			switch {
			case ok && v != 0 && v < minJournalSize:
				c.failf("%s is too small; write a size from 1MiB on, or 0 for no limit", c.show())
			case ok:
				j.MaxSize = v
			}
		}},
	})
	if ok && bounded && j.File == "" {
		c.warnf("bounds a journal that is not kept; add file: NAME")
	}
}

var sizeForm = regexp.MustCompile(`^([0-9]+)\s*([A-Za-z]*)$`)

var sizeUnits = map[string]float64{
	"B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40,
}

// size reads a number of bytes; zero is written 0.
func (c cursor) size(example string) (int64, bool) {
	s, ok := c.word("a size such as " + example)
	if !ok {
		return 0, false
	}
	m := sizeForm.FindStringSubmatch(s)
	if m == nil {
		c.failf("%s is not a size; write one such as %s", c.show(), example)
		return 0, false
	}
	n, err := strconv.ParseFloat(m[1], 64)
	unit, known := sizeUnits[m[2]]
	switch {
	case m[2] == "" && n == 0:
		return 0, true
	case m[2] == "":
		c.failf("%s has no unit; write B, KiB, MiB or GiB behind it", c.show())
	case !known:
		c.failf("%s has a unit that is not known; write one such as %s", c.show(), example)
	case err != nil || n*unit > math.MaxInt64/2:
		c.failf("%s is out of range; write a size such as %s", c.show(), example)
	default:
		return int64(n * unit), true
	}
	return 0, false
}

// sizeText writes a size with the largest unit that leaves a whole number.
func sizeText(n int64) string {
	for _, u := range []string{"TiB", "GiB", "MiB", "KiB"} {
		if unit := int64(sizeUnits[u]); n >= unit && n%unit == 0 {
			return strconv.FormatInt(n/unit, 10) + u
		}
	}
	return strconv.FormatInt(n, 10) + "B"
}

// describe is a line for those who keep one.
func (j Journal) describe(t *table) {
	if j.File == "" {
		return
	}
	bounds := ""
	if j.MaxAge > 0 {
		bounds = ", " + short(j.MaxAge) + " back"
	}
	if j.MaxSize > 0 {
		bounds += ", up to " + sizeText(j.MaxSize)
	}
	t.row("journal", j.File+bounds)
}
