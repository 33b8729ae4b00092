package main

import (
	"slices"
	"testing"
)

// One id in 64 begins with a dash; options may stand on either side of it.
func TestIDsThatBeginWithADash(t *testing.T) {
	const id = "-cGGsQhSRrmHuINzxmbovQ"
	for _, args := range [][]string{{id}, {"--json", id}, {id, "--json"}, {"--api", "http://127.0.0.1:1", id, "--json"}, {"--", id}} {
		fs, _ := clientFlags("resume", stdio{})
		rest, err := parse(fs, args, stdio{})
		if err != nil || !slices.Equal(rest, []string{id}) {
			t.Errorf("%v: %v, %v", args, rest, err)
		}
	}
	fs, _ := clientFlags("resume", stdio{})
	if rest, err := parse(fs, []string{"one", id, "two"}, stdio{}); err != nil || !slices.Equal(rest, []string{"one", id, "two"}) {
		t.Errorf("%v, %v", rest, err)
	}
	if _, err := parse(fs, []string{"--jason"}, stdio{}); err == nil {
		t.Error("an option that is none is taken")
	}
}
