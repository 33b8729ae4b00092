package config

import "strings"

type kind int

const (
	scalar kind = iota
	list
	mapping
	broken // a value that could not be read; what is wrong has been noted
)

func (k kind) String() string {
	return [...]string{"a single value", "a list", "a mapping", "broken"}[k]
}

// node is one value of the file, with aliases resolved, merges done and
// environment variables put in.
type node struct {
	kind kind
	line int

	// of a scalar
	raw    string // as written; what messages show
	text   string // after expansion
	tag    string // YAML's own idea of the type: !!str, !!int, !!null …
	secret bool   // text came out of the environment and must not be shown

	items   []*node // of a list
	entries []entry // of a mapping, in order
}

type entry struct {
	name  string
	line  int
	value *node
}

func (n *node) null() bool { return n.kind == scalar && n.tag == "!!null" && !n.secret }

func (n *node) get(name string) *node {
	for i := range n.entries {
		if n.entries[i].name == name {
			return n.entries[i].value
		}
	}
	return nil
}

// join extends the path of a key. A name that would be misread in a path is
// put in quotes.
func join(path, name string) string {
	if name == "" || strings.ContainsAny(name, ".[]: \"") {
		name = `"` + name + `"`
	}
	if path == "" {
		return name
	}
	return path + "." + name
}
