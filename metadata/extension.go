package metadata

// Extension is one element of a foreign namespace, self-contained: it declares
// each prefix it uses. It is made only by ParseExtensions and Parse, so it is
// always well-formed. The zero value is nothing and is not written.
type Extension struct{ xml string }

// String is the element's XML.
func (e Extension) String() string { return e.xml }

// ParseExtensions reads an operator's XML, zero or more elements beside each
// other. A bare element is put into ExtensionNamespace; the error says what is
// wrong with the rest.
func ParseExtensions(s string) ([]Extension, error) { return nil, nil }

// ParseNameIDs reads an operator's <nameID aor="…"><name>…</name></nameID>
// elements, at least one.
func ParseNameIDs(s string) ([]NameID, error) { return nil, nil }
