//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"sidetrack/tests/load/traffic"
)

const (
	lasting  = 8                      // calls of a soak that stay from its beginning to its end
	lifetime = 20 * time.Second       // of the others, on average
	arriveBy = 2 * time.Second        // what is under way to a call that ends, on a machine that has other things to do
	apart    = 5 * time.Millisecond   // allowed between the directions of a call
	goneBy   = time.Minute            // after the last call: everything is given back
	settled  = 50 * time.Second       // after which as many transactions end as begin
	round    = 500 * time.Millisecond // in which some calls are replaced

	remembered = 15000 // ended calls of which ladders, for ten minutes and within sip.trace, and histories are kept
	memory     = 16000 // octets for each of them, at most
)

// state is what the process holds.
type state struct {
	calls, ports, goroutines, descriptors, heap float64
}

func (s state) String() string {
	return fmt.Sprintf("%.0f calls, %.0f ports, %.0f goroutines, %.0f descriptors, %.1f MB of heap", s.calls, s.ports, s.goroutines, s.descriptors, s.heap/1e6)
}

// held asks for it. The heap is what was live at the last collection, whatever room the collector's pace leaves above it.
func held() (s state, err error) {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}
	resp, err := client.Get(fmt.Sprintf("http://%v:%d/metrics", host, httpPort))
	if err != nil {
		return s, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return s, err
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		v, _ := strconv.ParseFloat(value, 64)
		switch name {
		case "sidetrack_calls_active":
			s.calls = v
		case `sidetrack_media_ports{state="used"}`, `sidetrack_media_ports{state="draining"}`:
			s.ports += v
		case "go_goroutines":
			s.goroutines = v
		case "process_open_fds":
			s.descriptors = v
		case "go_gc_heap_live_bytes":
			s.heap = v
		}
	}
	if s.heap == 0 || s.goroutines == 0 || s.descriptors == 0 { // nothing would ever be found wrong
		return s, fmt.Errorf("the metrics do not tell what the process holds:\n%s", text)
	}
	return s, nil
}

// soak has n recorded calls come and go for that time and tells what is wrong then: clocks that drift, memory that grows,
// anything not given back.
func soak(under *sidetrack, n int, length time.Duration) (err error) {
	cmd, err := under.start()
	if err != nil {
		return err
	}
	defer under.close()
	defer func() { _, _ = cmd.Process.Kill(), cmd.Wait() }()
	plan := traffic.Config{Calls: n, Host: host, Port: trafficPort, Sockets: 2, Copies: 2, Reports: true} // few: each is looked at every 4 ms, whatever there is to read
	load, err := traffic.New(plan)
	if err != nil {
		return err
	}
	closed := false
	defer func() {
		if !closed {
			err = errors.Join(err, load.Close())
		}
	}()
	place := func(call int) error {
		toCaller, toCallee, err := under.connect(call, plan)
		if err != nil {
			return fmt.Errorf("setting call %d up: %w\n%s", call, err, under.said())
		}
		load.Start(call, traffic.AB, toCaller)
		load.Start(call, traffic.BA, toCallee)
		return nil
	}
	lost := make([]int, n) // by call, of those before it under its number
	end := func(call int) error {
		load.Silence(call, traffic.AB)
		load.Silence(call, traffic.BA)
		for until := time.Now().Add(arriveBy); load.Missing(call) > lost[call] && time.Now().Before(until); time.Sleep(time.Millisecond) {
		}
		lost[call] = load.Missing(call)
		if err := under.hangUp(call); err != nil {
			return fmt.Errorf("ending call %d: %w", call, err)
		}
		return nil
	}
	if err := errors.Join(place(0), end(0)); err != nil { // what is made once is made
		return err
	}
	before, err := held()
	if err != nil {
		return err
	}
	for call := range n {
		if err := place(call); err != nil {
			return err
		}
	}
	overflown, err := traffic.Overflown()
	if err != nil {
		return err
	}
	load.Begin()
	started, placed, next := time.Now(), n, lasting
	var heaps []sample // once settled
	for began := time.Now(); time.Since(started) < length; began = began.Add(round) {
		for range max(1, int(float64(n)*float64(round)/float64(lifetime))) {
			if n <= lasting {
				break
			}
			if err := errors.Join(end(next), place(next)); err != nil {
				return err
			}
			placed++
			if next++; next == n {
				next = lasting
			}
		}
		if now, err := held(); err != nil {
			return err
		} else if time.Since(started) > settled {
			heaps = append(heaps, sample{now.heap, placed})
		}
		time.Sleep(time.Until(began.Add(round)))
	}
	load.End()
	full, err := held()
	if err != nil {
		return err
	}
	for call := range n {
		if err := end(call); err != nil {
			return err
		}
	}
	var after state
	for until := time.Now().Add(goneBy); ; time.Sleep(200 * time.Millisecond) {
		if after, err = held(); err != nil {
			return err
		}
		if after.calls == 0 && after.ports == 0 && after.goroutines <= before.goroutines+5 && after.descriptors <= before.descriptors+5 {
			break
		}
		if time.Now().After(until) {
			err = fmt.Errorf("%v after the last call there are %v, before the first there were %v", goneBy, after, before)
			break
		}
	}
	closed = true
	if e := load.Close(); e != nil {
		return e
	}
	overflownBy, e := traffic.Overflown()
	fmt.Printf("%d calls, %d at once\nbefore  %v\nat full %v\nafter   %v\n", placed, n, before, full, after)
	return errors.Join(err, e, flat(heaps), clocks(load, min(n, lasting)), whole(load, overflownBy-overflown))
}

// sample is the heap after so many calls.
type sample struct {
	heap  float64
	calls int
}

// flat compares the last third of the time with the one before: in the first one histories and ladders fill up, and where
// they are not full yet they may go on.
func flat(heaps []sample) error {
	third := len(heaps) / 3
	if third < 10 {
		fmt.Println("heap    too short to say whether it is flat")
		return nil
	}
	mean := func(all []sample) (heap float64, calls int) {
		for _, v := range all {
			heap, calls = heap+v.heap/float64(len(all)), v.calls
		}
		return heap, calls
	}
	first, _ := mean(heaps[:third])
	middle, from := mean(heaps[third : 2*third])
	last, to := mean(heaps[2*third:])
	allowed := 1.02*middle + 1e6 + memory*float64(max(min(to, remembered)-from, 0))
	fmt.Printf("heap    %.1f, %.1f and %.1f MB in the thirds of the time, at most %.1f MB wanted in the last\n", first/1e6, middle/1e6, last/1e6, allowed/1e6)
	if last > allowed {
		return fmt.Errorf("the heap has grown from %.1f to %.1f MB", middle/1e6, last/1e6)
	}
	return nil
}

// clocks judges the calls that have lasted.
func clocks(load *traffic.Load, calls int) (err error) {
	var off, drift []time.Duration // by call
	reports := 0
	for call := range calls {
		c := load.Clocks(call)
		if c.Reports < 2 {
			err = errors.Join(err, fmt.Errorf("%d sender reports of call %d", c.Reports, call))
		}
		reports += c.Reports
		off, drift = append(off, c.Apart), append(drift, 0)
		if c.Reports >= 10 { // else there is no steady one in each half
			drift[len(drift)-1] = c.Drift
		}
	}
	slices.Sort(off)
	slices.Sort(drift)
	half, last := calls/2, calls-1
	fmt.Printf("clocks  %d pairs of sender reports, directions at most %v apart, drifting by %v, in the middle %v and %v; %d timestamps slipped\n",
		reports, off[last], drift[last], off[half], drift[half], load.Slips())
	late := load.Result().Late
	// Each call's middle reports are compared. Where the generator was late in the middle, so were they, and of several
	// calls one has it worse: it is judged by how late the generator often was.
	if usual, most := apart+late.Quantile(.5), apart+late.Quantile(.9); max(off[half], drift[half]) > usual || max(off[last], drift[last]) > most {
		err = errors.Join(err, fmt.Errorf("the directions of a call are %v apart and drift by %v, at most %v wanted; in the middle %v and %v, at most %v wanted",
			off[last], drift[last], most, off[half], drift[half], usual))
	}
	if n := load.Slips(); n > 0 {
		err = errors.Join(err, fmt.Errorf("%d copies came with a timestamp that the packet did not have", n))
	}
	return err
}

// whole judges what arrived. Where the generator was late, what it then sends in one go may be more than sockets hold:
// overflown is how many datagrams the kernel has thrown away for that, anybody's.
func whole(load *traffic.Load, overflown uint64) error {
	r := load.Result()
	late := r.Late.Quantile(.99)
	fmt.Printf("media   %d packets sent, %d lost to parties, %d to the recorder, %d misplaced; the generator was late by %v (p50), %v (p99); %d datagrams of this machine overflew\n",
		r.Sent, r.LostFar, r.LostCopy, r.Misplaced, r.Late.Quantile(.5), late, overflown)
	if r.Misplaced > 0 {
		return fmt.Errorf("%d packets came to somebody else", r.Misplaced)
	}
	allowed := r.Sent / 10000
	if late > 10*time.Millisecond {
		allowed += 2 * overflown // one that the relay has not read is lost to both
	}
	if lost := r.LostFar + r.LostCopy; lost > allowed {
		return fmt.Errorf("%d of %d packets lost", lost, r.Sent)
	}
	return nil
}
