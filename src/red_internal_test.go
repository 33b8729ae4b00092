package src

import (
	"testing"

	"sidetrack/metadata"
)

// A direction of which nothing can be offered, only RED whose codec nobody has named, gets no m-line: an SRS would be
// offered a codec that never comes.
func TestNothingToOffer(t *testing.T) {
	red := metadata.Flow{Formats: []metadata.Format{{PT: 99, Name: "red", Clock: 1000}}}
	l := streams{tracks: "both", media: []string{"text"}, dialect: &Dialect{}}
	l.follow(&metadata.Snapshot{Streams: []metadata.MediaStream{{Kind: "text", Caller: red, Callee: red}}})
	if len(l.all) != 0 {
		t.Fatalf("%d m-lines, the first with %v", len(l.all), l.all[0].formats)
	}
	text := metadata.Flow{Formats: append(red.Formats, metadata.Format{PT: 98, Name: "t140", Clock: 1000})}
	l.follow(&metadata.Snapshot{Streams: []metadata.MediaStream{{Kind: "text", Caller: text, Callee: text}}})
	if len(l.all) != 2 || len(l.all[0].formats) != 1 || l.all[0].formats[0].Name != "t140" {
		t.Fatalf("%+v", l.all)
	}
}
