package app

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

// Who asks for the list of calls while another one's question is not answered waits no longer than he wants to.
func TestOverviewWaitsNoLongerThanAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // who waits for ever fails at once
		b := briefs{turn: make(chan struct{}, 1)}
		b.turn <- struct{}{} // somebody asks calls that do not answer
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := b.get(ctx, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	})
}
