package store_test

import (
	"context"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"sidetrack/internal/store"
)

func TestWhatIsAddedIsRead(t *testing.T) {
	j := open(t, store.Config{FlushEvery: time.Millisecond})
	want := verdict(1)
	j.Add(running(1))
	j.await("running", func() bool { return len(j.list(store.Query{Result: store.Running})) == 1 })
	j.Add(want)
	j.await("complete", func() bool { return len(j.list(store.Query{Result: store.Complete})) == 1 })
	if got := j.list(store.Query{}); len(got) != 1 || !reflect.DeepEqual(got[0], want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
	// What was said of it before is replaced, attempts and streams too.
	v := verdict(1)
	v.Attempts, v.Streams, v.Alarms = []store.Attempt{}, []store.Stream{}, []string{}
	v.Call.From = "sip:" + strings.Repeat("x", 5000) + "\x00\xff"
	j.Add(v)
	j.await("replaced", func() bool { return len(j.list(store.Query{})[0].Streams) == 0 })
	got := j.list(store.Query{})
	if len(got) != 1 || len(got[0].Attempts) != 0 || len(got[0].Call.From) > 1024 {
		t.Errorf("%+v", got)
	}
}

// Readers see whole recordings, page after page, while others are written.
func TestConcurrentReaders(t *testing.T) {
	j := open(t, store.Config{FlushEvery: time.Millisecond, Queue: 5000})
	var readers sync.WaitGroup
	stop := make(chan struct{})
	for range 3 {
		readers.Go(func() {
			for {
				seen := 0
				for cursor := ""; ; {
					page, next, err := j.List(context.Background(), store.Query{Limit: 17, Cursor: cursor})
					if err != nil {
						t.Error(err)
						return
					}
					for _, v := range page {
						if len(v.Attempts) != 2 || v.Result == store.Complete && len(v.Streams) != 2 {
							t.Errorf("half a recording: %+v", v)
							return
						}
					}
					seen += len(page)
					if cursor = next; next == "" {
						break
					}
				}
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	for i := range 120 {
		j.Add(running(i))
	}
	for i := range 120 {
		j.Add(verdict(i))
	}
	j.await("all of them", func() bool { return len(j.list(store.Query{Result: store.Complete, Limit: 1000})) == 120 })
	close(stop)
	readers.Wait()
}
