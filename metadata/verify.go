package metadata

// Problem is one thing wrong with a document.
type Problem struct {
	Rule   string // the rule broken, e.g. "XML-06"; see Rules
	Where  string // the element, e.g. `stream[2]`
	Text   string // what is wrong
	Schema bool   // against the schema; false: against the RFC's text
}

// String is the problem in one line.
func (p Problem) String() string { return p.Rule + " " + p.Where + ": " + p.Text }

// Verify checks the document. labels are those of the SDP that came with it;
// nil leaves that check out.
func (r *Recording) Verify(labels []string) []Problem { return nil }
