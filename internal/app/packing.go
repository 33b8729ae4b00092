package app

import (
	"context"
	"sync"

	"sidetrack/internal/trace"
)

// packing makes the messages of silent calls small, between Start and shut.
type packing struct {
	cancel  context.CancelFunc // nil: not begun
	running sync.WaitGroup
}

func (p *packing) start(t *trace.Tracer) {
	ctx, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	p.running.Go(func() { t.Run(ctx) })
}

func (p *packing) stop() {
	if p.cancel != nil {
		p.cancel()
		p.running.Wait()
	}
}
