package outbox

import (
	"context"
	"sync"
)

// Box is values on their way to one goroutine. Its methods may be called from any
// goroutine.
type Box[T any] struct {
	size    int
	send    func(ctx context.Context, values <-chan T)
	ctx     context.Context // of the sender; ends when Close hurries
	cut     context.CancelFunc
	running sync.WaitGroup

	mu     sync.RWMutex // values is closed under it
	closed bool
	first  sync.Once
	values chan T // nil before the first
}

// Open has send run from the first value on: many a box never has one, and its room is
// large. send is to take values until they are closed, and to end soon once ctx has
// ended. size is how many may wait.
func Open[T any](size int, send func(ctx context.Context, values <-chan T)) *Box[T] {
	b := &Box[T]{size: size, send: send}
	b.ctx, b.cut = context.WithCancel(context.Background())
	return b
}

func (b *Box[T]) begin() {
	b.values = make(chan T, b.size)
	b.running.Go(func() { b.send(b.ctx, b.values) })
}

// Put takes a value; false when there is no room, or the box is closed.
func (b *Box[T]) Put(v T) bool {
	b.mu.RLock()
	defer b.mu.RUnlock()
	if b.closed {
		return false
	}
	b.first.Do(b.begin)
	select {
	case b.values <- v:
		return true
	default:
		return false
	}
}

// Close takes no more values, lets what waits be sent until ctx ends, and returns
// when the sender has. It may be called more than once.
func (b *Box[T]) Close(ctx context.Context) {
	b.mu.Lock()
	if !b.closed && b.values != nil {
		close(b.values)
	}
	b.closed = true
	b.mu.Unlock()
	stop := context.AfterFunc(ctx, b.cut)
	b.running.Wait()
	stop()
	b.cut()
}
