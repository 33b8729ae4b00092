package src

// historySize is how many ended sessions stay readable.
const historySize = 1000

// history keeps the views of the sessions that ended last: a ring.
type history struct {
	views []View
	next  int // where the next one goes once the ring is full
}

func (h *history) add(v View) {
	if len(h.views) < historySize {
		h.views = append(h.views, v)
		return
	}
	h.views[h.next] = v
	h.next = (h.next + 1) % historySize
}

func (h *history) all() []View { return append([]View(nil), h.views...) }

func (h *history) get(id string) (View, bool) {
	for i := range h.views {
		if h.views[i].ID == id {
			return h.views[i], true
		}
	}
	return View{}, false
}
