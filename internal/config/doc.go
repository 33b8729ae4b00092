// Package config turns a YAML file into one valid [Config], or into the list of
// everything that is wrong with it.
//
// [Load] reads the file into a tree of nodes, and one function per section
// walks its part of the tree: it sets the defaults, takes each known key, and
// notes each mistake as a [Problem] with its line, its key and the remedy. Then
// the checks across sections run (a rule's recorder, a match's listener). A
// cursor is one place in the tree; a fields table lists the keys of a mapping.
// Nothing stops at the first mistake.
//
// Flow: file → [Load] → [Config] → internal/app, which hands the parts to the
// packages; [Config.Describe] prints the same for people, secrets hidden.
//
// The YAML library is imported in this package only, by one file. RFC sections:
// URIs are those of RFC 3261 §19.1, header names those of §25.1.
package config
