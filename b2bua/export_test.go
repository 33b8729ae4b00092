package b2bua

import "fmt"

// Leftovers describes what the registries still hold; "" when they are empty.
func (s *Server) Leftovers() string {
	out := ""
	for i, lane := range s.cfg.Txn.Lanes() {
		done := make(chan string, 1)
		lane.Post(func() {
			calls := &s.lanes[i]
			if len(calls.byToken)+calls.byDialog.len() > 0 {
				done <- fmt.Sprintf("lane %d: %d calls, %d dialogs. ", i, len(calls.byToken), calls.byDialog.len())
				return
			}
			done <- ""
		})
		out += <-done
	}
	if n := s.references.len(); n > 0 {
		out += fmt.Sprintf("%d references. ", n)
	}
	if n := s.links.held(); n > 0 {
		out += fmt.Sprintf("%d links. ", n)
	}
	return out
}
