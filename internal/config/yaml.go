package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	// The only import of the YAML library. Its maintained successor is
	// go.yaml.in/yaml/v3, a drop-in replacement.
	"gopkg.in/yaml.v3"
)

// Limits of a file, so that no text of any kind can make the reader run away:
// anchors multiply, nesting recurses.
const (
	maxFile  = 1 << 20
	maxNodes = 100_000
	maxDepth = 32
)

// readTree parses data into a tree without aliases and duplicate keys. It
// returns nil when there is none, having said why.
func (d *decoder) readTree(data []byte) (root *node) {
	if len(data) > maxFile {
		d.addf(1, "", "the file has %d bytes; at most %d are read", len(data), maxFile)
		return nil
	}
	// The library reports mistakes by panicking inside and has been caught
	// letting one out; a configuration must never end the process.
	defer func() {
		if r := recover(); r != nil {
			d.addf(1, "", "the YAML reader cannot cope with this file: %v", r)
			root = nil
		}
	}()
	reader := yaml.NewDecoder(bytes.NewReader(data))
	var doc yaml.Node
	switch err := reader.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return d.emptyFile()
	case err != nil:
		d.syntaxErrors(data, err)
		return nil
	}
	d.secondDocument(reader, data)
	if len(doc.Content) == 0 {
		return d.emptyFile()
	}
	b := builder{d: d, open: map[*yaml.Node]bool{}}
	root = b.build("", doc.Content[0], 0)
	switch {
	case root.null():
		return d.emptyFile()
	case root.kind == broken:
		return nil
	}
	return root
}

func (d *decoder) emptyFile() *node {
	d.addf(1, "", "the file is empty; write at least sip.listen and one route")
	return nil
}

func (d *decoder) secondDocument(reader *yaml.Decoder, data []byte) {
	var doc yaml.Node
	switch err := reader.Decode(&doc); {
	case errors.Is(err, io.EOF):
	case err != nil:
		d.syntaxErrors(data, err)
	default:
		d.addf(doc.Line, "", "a second YAML document begins here and would be ignored; remove the --- line or what follows it")
	}
}

// builder turns the library's nodes into ours.
type builder struct {
	d     *decoder
	nodes int
	open  map[*yaml.Node]bool // those that build is within
}

// build returns a broken node when n cannot be used; the reason has been noted.
func (b *builder) build(path string, n *yaml.Node, depth int) *node {
	if b.nodes++; b.nodes == maxNodes {
		b.d.addf(n.Line, path, "more than %d values; remove anchors that multiply", maxNodes)
	}
	out := &node{kind: broken, line: n.Line}
	if b.nodes >= maxNodes {
		return out
	}
	if depth > maxDepth {
		b.d.addf(n.Line, path, "nested deeper than %d levels; write less of them", maxDepth)
		b.nodes = maxNodes // say it once
		return out
	}
	b.open[n] = true
	defer delete(b.open, n)
	switch n.Kind {
	case yaml.AliasNode:
		if b.open[n.Alias] {
			b.d.addf(n.Line, path, "*%s stands within what &%s names, without end; write the values here", n.Value, n.Value)
			return out
		}
		return b.build(path, n.Alias, depth+1)
	case yaml.MappingNode:
		return b.mapping(path, n, depth)
	case yaml.SequenceNode:
		out.kind = list
		for i, item := range n.Content {
			out.items = append(out.items, b.build(fmt.Sprintf("%s[%d]", path, i), item, depth+1))
		}
		return out
	}
	return b.scalar(path, n)
}

func (b *builder) scalar(path string, n *yaml.Node) *node {
	out := &node{kind: scalar, line: n.Line, raw: n.Value, text: n.Value, tag: n.ShortTag()}
	if out.tag == "!!binary" {
		b.d.addf(n.Line, path, "binary values are not used here; write plain text")
		out.kind = broken
		return out
	}
	text, secret, err := expand(n.Value, b.d.opt.Env)
	if err != nil {
		b.d.addf(n.Line, path, "%v", err)
		out.kind = broken
		return out
	}
	out.text, out.secret = text, secret
	return out
}

func (b *builder) mapping(path string, n *yaml.Node, depth int) *node {
	out := &node{kind: mapping, line: n.Line}
	first := map[string]int{} // key → line
	var merges []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], n.Content[i+1]
		if k.Kind == yaml.AliasNode {
			k = k.Alias
		}
		if k.Kind != yaml.ScalarNode {
			b.d.addf(n.Content[i].Line, path, "a key must be a plain word")
			continue
		}
		if k.ShortTag() == "!!merge" {
			merges = append(merges, v)
			continue
		}
		name := join(path, k.Value)
		if line, twice := first[k.Value]; twice {
			b.d.addf(n.Content[i].Line, name, "given twice, first on line %d; keep one", line)
			continue
		}
		first[k.Value] = n.Content[i].Line
		out.entries = append(out.entries, entry{k.Value, n.Content[i].Line, b.build(name, v, depth+1)})
	}
	for _, m := range merges {
		b.merge(path, out, m, depth)
	}
	return out
}

// merge adds what <<: names, without touching keys that are there.
func (b *builder) merge(path string, into *node, n *yaml.Node, depth int) {
	from := b.build(path, n, depth+1)
	sources := []*node{from}
	if from.kind == list {
		sources = from.items
	}
	for _, s := range sources {
		if s.kind == broken {
			return
		}
		if s.kind != mapping {
			b.d.addf(n.Line, join(path, "<<"), "can only merge a mapping; write <<: *name of one")
			return
		}
		for _, e := range s.entries {
			if into.get(e.name) == nil {
				into.entries = append(into.entries, e)
			}
		}
	}
}
