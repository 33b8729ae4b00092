package outbox_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"sidetrack/internal/outbox"
)

// What fits is sent in order, also after Close; what does not fit is refused.
func TestBox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent []int
		start := make(chan struct{})
		b := outbox.Open(3, func(_ context.Context, values <-chan int) {
			<-start
			for v := range values {
				sent = append(sent, v)
			}
		})
		for i := range 5 {
			if took := b.Put(i); took != (i < 3) {
				t.Errorf("%d taken: %v", i, took)
			}
		}
		close(start)
		synctest.Wait()
		if !b.Put(5) {
			t.Error("there is room again, and it is refused")
		}
		b.Close(context.Background())
		b.Close(context.Background())
		if len(sent) != 4 || sent[0] != 0 || sent[2] != 2 || sent[3] != 5 || b.Put(6) {
			t.Errorf("sent %v", sent)
		}
	})
}

// A box that nobody puts anything into has neither room nor a sender.
func TestEmptyBox(t *testing.T) {
	started := false
	b := outbox.Open(1<<40, func(context.Context, <-chan int) { started = true })
	b.Close(context.Background())
	if b.Put(1) || started {
		t.Error("it takes values after it was closed")
	}
}

// A sender that hangs is told to end when the time for closing is over; whoever
// puts meanwhile does not wait.
func TestCloseHurries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := outbox.Open(1, func(ctx context.Context, values <-chan int) {
			for range values {
				<-ctx.Done()
			}
		})
		b.Put(1)
		synctest.Wait()
		b.Put(2)
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		began := time.Now()
		b.Close(ctx)
		if took := time.Since(began); took != time.Second {
			t.Errorf("took %v", took)
		}
	})
}

// Nobody loses a value, and nothing is sent twice, however many put and close.
func TestManyPut(t *testing.T) {
	got := 0
	b := outbox.Open(16, func(_ context.Context, values <-chan int) {
		for range values {
			got++
		}
	})
	var taken [8]int
	var all sync.WaitGroup
	for i := range taken {
		all.Go(func() {
			for range 1000 {
				if b.Put(i) {
					taken[i]++
				}
			}
		})
	}
	all.Wait()
	b.Close(context.Background())
	sum := 0
	for _, n := range taken {
		sum += n
	}
	if got != sum || sum == 0 {
		t.Errorf("%d taken, %d sent", sum, got)
	}
}
