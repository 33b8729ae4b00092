//go:build linux

package main

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"sidetrack/tests/load/traffic"
)

// row is one measurement.
type row struct {
	system string
	calls  int
	result traffic.Result
	used   traffic.Used
	busy   float64 // share of the machine
	memory float64 // KB a call
}

// perPacket is µs of CPU per packet that went through.
func (r *row) perPacket(d time.Duration) float64 {
	return float64(d) / 1e3 / float64(max(r.result.Sent-r.result.LostFar, 1))
}

// rate is packets a second that went through.
func (r *row) rate() float64 {
	return float64(r.result.Sent-r.result.LostFar) / r.result.Window.Seconds()
}

// full tells that the machine, not the program, decided this row.
func (r *row) full() bool { return r.busy > 0.97 || r.late() }

// late tells that the generator did not keep time.
func (r *row) late() bool { return r.result.Late.Quantile(.99) > 10*time.Millisecond }

// table prints rows as they come and what follows from all of them.
type table struct{ rows []row }

func (t *table) head() {
	fmt.Printf("%-20s %5s %10s %6s %6s %9s %9s %8s %8s %9s %8s %6s\n", "", "calls", "us/packet", "user", "CPU %",
		"lost far", "lost copy", "p50 ms", "p99 ms", "max ms", "KB/call", "busy %")
}

func (t *table) add(r row) {
	t.rows = append(t.rows, r)
	ms := func(d time.Duration) float64 { return float64(d) / 1e6 }
	relay := &r.result.Relay
	note := ""
	switch {
	case r.late():
		note = "  (the generator was late: latency and loss say nothing)"
	case r.full():
		note = "  (the machine is full)"
	}
	if r.result.Misplaced+r.result.Duplicates > 0 {
		note += fmt.Sprintf("  (%d misplaced, %d duplicates)", r.result.Misplaced, r.result.Duplicates)
	}
	fmt.Printf("%-20s %5d %10.2f %6.2f %6.1f %9d %9d %8.3f %8.3f %9.3f %8.1f %6.1f%s\n", r.system, r.calls,
		r.perPacket(r.used.Total()), r.perPacket(r.used.User), 100*float64(r.used.Total())/float64(r.result.Window),
		r.result.LostFar, r.result.LostCopy, ms(relay.Quantile(.5)), ms(relay.Quantile(.99)), ms(relay.Max()), r.memory, 100*r.busy, note)
	_ = os.Stdout.Sync()
}

// foot compares with rtpengine and fits a line through each system's rows.
func (t *table) foot() {
	var names []string
	for _, r := range t.rows {
		if !slices.Contains(names, r.system) {
			names = append(names, r.system)
		}
	}
	fmt.Println("\nCPU per packet as a share of rtpengine's (medians of all rounds):")
	for _, name := range names {
		if name != "rtpengine" {
			fmt.Printf("  %-18s %s\n", name, t.shares(name))
		}
	}
	fmt.Println("\nCPU time against packets, least squares over the rows in which the generator kept time:")
	for _, name := range names {
		fmt.Printf("  %-18s %s\n", name, t.fit(name))
	}
}

// each gives the rows of a system by number of calls.
func (t *table) each(name string) (calls []int, rows map[int][]row) {
	rows = map[int][]row{}
	for _, r := range t.rows {
		if r.system == name {
			if rows[r.calls] == nil {
				calls = append(calls, r.calls)
			}
			rows[r.calls] = append(rows[r.calls], r)
		}
	}
	return calls, rows
}

func medianCost(rows []row) float64 {
	var all []float64
	for _, r := range rows {
		all = append(all, r.perPacket(r.used.Total()))
	}
	slices.Sort(all)
	return all[len(all)/2]
}

func (t *table) shares(name string) string {
	var out []string
	_, theirs := t.each("rtpengine")
	calls, ours := t.each(name)
	for _, n := range calls {
		if theirs[n] != nil {
			out = append(out, fmt.Sprintf("%.2f at %d", medianCost(ours[n])/medianCost(theirs[n]), n))
		}
	}
	return strings.Join(out, ", ")
}

// fit is CPU seconds a second = fixed + cost * packets a second.
func (t *table) fit(name string) string {
	var x, y []float64
	for _, r := range t.rows {
		if r.system == name && !r.late() {
			x, y = append(x, r.rate()), append(y, float64(r.used.Total())/float64(r.result.Window))
		}
	}
	if len(x) < 2 {
		return "too few rows"
	}
	n, sx, sy, sxx, sxy, syy := float64(len(x)), 0., 0., 0., 0., 0.
	for i := range x {
		sx, sy, sxx, sxy, syy = sx+x[i], sy+y[i], sxx+x[i]*x[i], sxy+x[i]*y[i], syy+y[i]*y[i]
	}
	slope := (n*sxy - sx*sy) / (n*sxx - sx*sx)
	fixed := (sy - slope*sx) / n
	r := (n*sxy - sx*sy) / math.Sqrt((n*sxx-sx*sx)*(n*syy-sy*sy))
	return fmt.Sprintf("%.1f %% of a core + %.2f us a packet, r2 %.4f over %d rows", 100*fixed, 1e6*slope, r*r, len(x))
}
