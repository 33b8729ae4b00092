//go:build linux

package main

import (
	"fmt"
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
	copies int // of a call
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

// full is the share of the machine above which it, not the program, decided a row.
const full = 0.97

// late tells that the generator did not keep time.
func (r *row) late() bool { return r.result.Late.Quantile(.99) > 10*time.Millisecond }

// table prints rows as they come and what follows from all of them.
type table struct{ rows []row }

func (t *table) head() {
	fmt.Printf("%-20s %5s %6s %10s %6s %6s %9s %9s %8s %8s %9s %8s %6s\n", "", "calls", "copies", "us/packet", "user", "CPU %",
		"lost far", "lost copy", "p50 ms", "p99 ms", "max ms", "KB/call", "busy %")
}

func (t *table) add(r row) {
	t.rows = append(t.rows, r)
	ms := func(d time.Duration) float64 { return float64(d) / 1e6 }
	relay := &r.result.Relay
	note := ""
	switch {
	case r.late() && r.busy > full:
		note = "  (saturated: nothing of the machine was left, the generator was late, too: latency and loss say nothing)"
	case r.late():
		note = "  (the generator was late: latency and loss say nothing)"
	case r.busy > full:
		note = "  (saturated: nothing of the machine was left)"
	}
	if r.result.Misplaced+r.result.Duplicates > 0 {
		note += fmt.Sprintf("  (%d misplaced, %d duplicates)", r.result.Misplaced, r.result.Duplicates)
	}
	fmt.Printf("%-20s %5d %6d %10.2f %6.2f %6.1f %9d %9d %8.3f %8.3f %9.3f %8.1f %6.1f%s\n", r.system, r.calls, r.copies,
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
	fmt.Println("\nCPU time against packets taken in and copies made, least squares over the rows in which the generator kept time:")
	for _, name := range names {
		fmt.Printf("  %-18s %s\n", name, t.fit(name))
	}
}

// each gives the rows of a system by number of calls.
func (t *table) each(name string) (calls []int, rows map[int][]row) {
	rows = map[int][]row{}
	for _, r := range t.rows {
		if r.system == name && r.copies == usual {
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

// fit is CPU seconds a second = fixed + cost * packets a second + cost * copies a second; the last only where the rows
// differ in copies a packet.
func (t *table) fit(name string) string {
	var x [][]float64
	var y []float64
	several := false
	for _, r := range t.rows {
		if r.system != name || r.late() {
			continue
		}
		copies := float64(r.result.Copies-min(r.result.Copies, r.result.LostCopy)) / r.result.Window.Seconds()
		x, y = append(x, []float64{1, r.rate(), copies}), append(y, float64(r.used.Total())/float64(r.result.Window))
		several = several || r.copies != usual
	}
	if !several {
		for i := range x {
			x[i] = x[i][:2]
		}
	}
	cost, r2, worst, ok := leastSquares(x, y)
	switch {
	case !ok:
		return "too few rows"
	case !several:
		return fmt.Sprintf("%.1f %% of a core + %.2f us a packet, r2 %.4f, at most %.1f %% of a core beside it, %d rows", 100*cost[0], 1e6*cost[1], r2, 100*worst, len(y))
	}
	return fmt.Sprintf("%.1f %% of a core + %.2f us a packet + %.2f us a copy, r2 %.4f, at most %.1f %% of a core beside it, %d rows",
		100*cost[0], 1e6*cost[1], 1e6*cost[2], r2, 100*worst, len(y))
}
