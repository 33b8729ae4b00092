package config

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"sidetrack/policy"
)

// maxNumbersFile bounds a list; ten million numbers fit.
const maxNumbersFile = 256 << 20

// NumberList is a file that rules go by. Whoever runs them may put a newer
// content of the file in force at any time.
type NumberList struct {
	File string
	List *policy.Numbers
	At   time.Time // when the file was written, and
	Size int64     // how long it was, just before it was read
}

// Read reads the file anew; the list is not changed.
func (l NumberList) Read() (*policy.NumberSet, error) {
	info, err := os.Stat(l.File)
	if err != nil {
		return nil, fileError(l.File, err)
	}
	return readNumbers(l.File, info)
}

func readNumbers(name string, info os.FileInfo) (*policy.NumberSet, error) {
	if info.Size() > maxNumbersFile {
		return nil, fmt.Errorf("file %s has more than %s", name, sizeText(maxNumbersFile))
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fileError(name, err)
	}
	set, err := policy.ParseNumbers(data)
	if err != nil {
		return nil, fmt.Errorf("file %s, %w", name, err)
	}
	return set, nil
}

// numbers reads which list is asked for whom. A file that several rules name is
// read once.
func (d *decoder) numbers(c cursor) (list *policy.Numbers, of []policy.Party) {
	var at cursor
	name := ""
	c.read(fields{
		{"file", func(c cursor) { name, at = d.fileName(c), c }},
		{"of", func(c cursor) {
			c.some("whose number, such as from")
			for _, item := range c.words("whose number, such as from") {
				var p policy.Party
				choose(item, &p, policy.PartyCaller, policy.PartyCallee, policy.PartyRequested, policy.PartyAsserted, policy.PartyDiverting)
				of = append(of, p)
			}
		}},
	})
	if name == "" {
		c.failf("names no file; add file: NAME")
		return nil, of
	}
	for _, l := range d.cfg.Numbers {
		if l.File == name {
			return l.List, of
		}
	}
	info, err := os.Stat(name)
	if err != nil {
		at.failf("%v", fileError(name, err))
		return nil, of
	}
	set, err := readNumbers(name, info)
	if err != nil {
		at.failf("%v", err)
		return nil, of
	}
	if set.Len() == 0 {
		at.warnf("file %s has no entry: nobody is on the list", name)
	}
	list = policy.NewNumbers(name, set)
	d.cfg.Numbers = append(d.cfg.Numbers, NumberList{File: name, List: list, At: info.ModTime(), Size: info.Size()})
	return list, of
}

// share reads a percentage.
func (c cursor) share() policy.Share {
	const want = "a percentage such as 10%"
	s, ok := c.word(want)
	if !ok {
		return 0
	}
	number, percent := strings.CutSuffix(s, "%")
	v, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	switch share := v / 100 * float64(policy.Everything); {
	case !percent || err != nil || !(v >= 0 && v <= 100):
		c.failf("%s is no percentage; write %s", c.show(), want)
	case share < 1:
		c.failf("%s is nothing; write 0.001%% or more, or recorder: %s in a rule of its own", c.show(), policy.NoRecorder)
	default:
		return policy.Share(share + 0.5)
	}
	return 0
}
