package txn_test

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sidetrack/internal/sip/txn"
)

func TestPostIsInOrderAndNeverLost(t *testing.T) {
	playWith(t, txn.Config{Lanes: 3}, func(b *bed) {
		lane := b.layer.Lanes()[2]
		const writers, each = 8, 2000
		next := make([]int, writers)
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				for i := range each {
					lane.Post(func() {
						if next[w] != i {
							t.Errorf("writer %d: %d, want %d", w, i, next[w])
						}
						next[w]++
					})
				}
			})
		}
		wg.Wait()
		synctest.Wait()
		for w, n := range next {
			if n != each {
				t.Errorf("writer %d: %d of %d", w, n, each)
			}
		}
	})
}

func TestTimersFireInOrder(t *testing.T) {
	play(t, func(b *bed) {
		var got []int
		b.do(func() {
			var stopped []*txn.Timer
			for _, i := range []int{5, 3, 9, 1, 7, 2, 8, 4, 6, 0} {
				b.lane.After(time.Duration(i)*time.Second, func() { got = append(got, i) })
				stopped = append(stopped, b.lane.After(time.Duration(i)*time.Second, func() { t.Error("a stopped timer fired") }))
			}
			for _, s := range stopped {
				s.Stop()
				s.Stop()
			}
			var none *txn.Timer
			none.Stop()
		})
		b.pass(20 * time.Second)
		if want := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}; !slices.Equal(got, want) {
			t.Errorf("got %v", got)
		}
	})
}

func TestTimerMayArmAndStopOthers(t *testing.T) {
	play(t, func(b *bed) {
		fired := 0
		b.do(func() {
			var other *txn.Timer
			b.lane.After(time.Second, func() {
				fired++
				other.Stop()
				b.lane.After(time.Second, func() { fired++ })
			})
			other = b.lane.After(time.Second, func() { t.Error("fired though stopped") })
		})
		b.pass(3 * time.Second)
		if fired != 2 {
			t.Errorf("fired %d, want 2", fired)
		}
	})
}

func TestCallIDsOfALane(t *testing.T) {
	playWith(t, txn.Config{Lanes: 4}, func(b *bed) {
		for i, lane := range b.layer.Lanes() {
			if lane.Index() != i {
				t.Errorf("Index %d, want %d", lane.Index(), i)
			}
			for range 50 {
				if id := lane.NewCallID("host"); b.layer.LaneFor(id) != lane {
					t.Errorf("%s is not on lane %d", id, i)
				}
			}
		}
	})
}

func TestCloseWithoutStart(t *testing.T) {
	l := txn.New(txn.Config{Transport: newWire()})
	l.Close()
	l.Lanes()[0].Post(func() { t.Error("called after Close") })
}
