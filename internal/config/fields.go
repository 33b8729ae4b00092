package config

import (
	"slices"
	"strings"
)

// field is one known key of a mapping and what reads its value.
type field struct {
	name string
	read func(cursor)
}

// fields lists the known keys of a mapping, in the order of the documentation.
type fields []field

// read walks a mapping: every known key is read, every other noted. A mapping
// without anything in it is allowed, as when all its lines are comments.
func (c cursor) read(known fields) bool {
	if c.n.null() {
		return true
	}
	names := make([]string, len(known))
	for i := range known {
		names[i] = known[i].name
	}
	if c.n.kind != mapping {
		if c.path == "" {
			c.failf("the file is %s; write keys of its own, each with a colon: %s", c.n.kind, strings.Join(names, ", "))
			return false
		}
		c.failf("is %s; write keys of its own below it, indented: %s", c.n.kind, strings.Join(names, ", "))
		return false
	}
	if c.d.visit != nil {
		c.d.visit(c.path, names)
	}
	for _, e := range c.n.entries {
		at := cursor{c.d, join(c.path, e.name), e.value}
		i := slices.Index(names, e.name)
		if i < 0 {
			c.d.addf(e.line, at.path, "%s", unknown(e.name, names))
			continue
		}
		if e.value.kind != broken {
			known[i].read(at)
		}
	}
	return true
}

// free walks a mapping whose keys are names that the operator chose.
func (c cursor) free(what string, read func(name string, v cursor)) {
	if c.n.null() {
		return
	}
	if c.n.kind != mapping {
		c.failf("is %s; write %s below it, indented", c.n.kind, what)
		return
	}
	for _, e := range c.n.entries {
		if e.value.kind != broken {
			read(e.name, cursor{c.d, join(c.path, e.name), e.value})
		}
	}
}

func unknown(name string, known []string) string {
	if near := nearest(name, known); near != "" {
		return "unknown key; write " + near
	}
	return "unknown key; known here: " + strings.Join(known, ", ")
}

// nearest finds the name that was probably meant, "" when none is near.
func nearest(name string, known []string) string {
	plain := func(s string) string {
		return strings.NewReplacer("-", "", "_", "", " ", "").Replace(strings.ToLower(s))
	}
	name = plain(name)
	if len(name) > 64 {
		return ""
	}
	best, least := "", 1+max(1, len(name)/3)
	for _, k := range known {
		p := plain(k)
		if p+"s" == name || p == name+"s" {
			return k
		}
		if n := distance(name, p); n < least {
			best, least = k, n
		}
	}
	return best
}

// distance counts the letters to add, drop, change or swap with a neighbour.
func distance(a, b string) int {
	prev2, prev, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], prev2[j-2]+1)
			}
		}
		prev2, prev, row = prev, row, prev2
	}
	return prev[len(b)]
}
