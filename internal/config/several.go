package config

import (
	"slices"

	"sidetrack/policy"
)

// recorderRefs reads the name of a recorder or several, or none.
func (d *decoder) recorderRefs(c cursor, r *policy.Rule) {
	var names []string
	if c.n.kind == list && len(c.n.items) == 0 {
		c.failf("is empty; write the name of a recorder, or %s", policy.NoRecorder)
	}
	for _, item := range c.words("the name of a recorder or several, or " + policy.NoRecorder) {
		var name string
		d.recorderRef(item, &name)
		switch {
		case name == "":
		case slices.Contains(names, name):
			item.failf("%s is named twice; name it once", item.show())
		default:
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return
	}
	if len(names) > 1 && slices.Contains(names, policy.NoRecorder) {
		c.failf("names %s beside others; write it alone or leave it out", policy.NoRecorder)
	}
	r.Recorder, r.Also = names[0], names[1:]
	if len(names) == 1 {
		r.Also = nil
	}
}

// required reads true or false, or which of the rule's recorders it is about.
func (d *decoder) required(c cursor, r *policy.Rule) {
	if c.n.kind != list {
		if v, ok := c.boolean(); ok {
			r.Required = v
		}
		return
	}
	var items []cursor
	for _, item := range c.words("names of the rule's recorders") {
		r.Demanded = append(r.Demanded, item.n.text)
		items = append(items, item)
	}
	r.Required = len(r.Demanded) > 0
	recorders := c // the rule's recorders are known when it has been read
	d.later(func() {
		for _, item := range items {
			if item.n.text != r.Recorder && !slices.Contains(r.Also, item.n.text) {
				recorders.failf("%s is no recorder of this rule; write one of those that recorder names", item.show())
			}
		}
	})
}
