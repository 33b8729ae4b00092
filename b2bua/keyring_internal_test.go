package b2bua

import "testing"

// Our keys stay for who changes either his key or his o=, and are new for who is another device; an answer means the keys
// of the offer.
func TestKeysOfAKeyring(t *testing.T) {
	r := &keyring{}
	r.meet(device{"alice 1", "k1"})
	first := r.of(device{"alice 1", "k1"})
	for _, same := range []device{{"alice 1", "k1"}, {"alice 1", "k2"}, {"alice 2", "k2"}} {
		if r.meet(same); r.of(same) != first {
			t.Errorf("%v has other keys", same)
		}
	}
	other := device{"bob 7", "k7"}
	r.meet(other)
	second := r.of(other)
	if second == first || second == nil {
		t.Error("another device has the keys of the first")
	}
	if r.offer(other, false) != second {
		t.Error("an offer has other keys than those that its receiver knows")
	}
	third := device{"carol 3", "k3"}
	if !r.answered(third) || r.of(third) != second {
		t.Error("who answers has not the keys of the offer, or was there before")
	}
	r.offered = &ownKeys{}
	renewed := r.offer(third, true)
	if renewed == second || r.answered(third) || r.of(third) != renewed || r.of(other) != second {
		t.Error("new keys are not those of who has answered to them, or of somebody else, too")
	}
	for n := range 3 * maxAcquaintances {
		r.meet(device{string(rune('a' + n)), "k" + string(rune('a'+n))})
	}
	if len(r.known) != maxAcquaintances {
		t.Errorf("%d are known", len(r.known))
	}
}
