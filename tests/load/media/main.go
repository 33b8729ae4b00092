//go:build linux

package main

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"sidetrack/tests/load/traffic"
)

const (
	trafficPort = 11000
	mediaPorts  = "12000-31999"
	sockets     = 8
)

// host has everything: it is on loopback.
var host = netip.MustParseAddr("127.9.0.1")

// relay is a program under test.
type relay interface {
	// start runs it; its process is measured.
	start() (*exec.Cmd, error)
	// connect sets one call up whose parties and recorder are the traffic's, and
	// gives the addresses that the parties are to send to.
	connect(call int, plan traffic.Config) (toCaller, toCallee netip.AddrPort, err error)
	// said is what it has logged, to explain a failure.
	said() string
	// close lets go of what start and connect hold, after the process has ended.
	close()
}

func main() {
	calls := flag.String("calls", "50,200,400,600,1000", "numbers of calls")
	copies := flag.String("copies", "0,1,4,8", "sidetrack also with so many copies of a call: two for each recorder, one for a last one that takes the caller alone; empty: not")
	copied := flag.String("copied", "50,200", "numbers of calls for that")
	window := flag.Duration("window", 8*time.Second, "how long each row is measured")
	settle := flag.Duration("settle", 2*time.Second, "traffic before that")
	bin := flag.String("sidetrack", "./sidetrack", "the program")
	engine := flag.String("rtpengine", "rtpengine", "the program; empty: without")
	only := flag.String("only", "", "names of the first column, separated by commas; empty: all")
	rounds := flag.Int("rounds", 1, "how often everything is run")
	soaking := flag.Duration("soak", 0, "no table: the first number of calls, coming and going, for so long")
	flag.TextVar(&host, "host", host, "the loopback address of everybody")
	flag.Parse()

	if *soaking > 0 {
		n := numbers(*calls)[0]
		fail(soak(&sidetrack{bin: *bin, batch: "off", copies: usual}, n, *soaking))
		return
	}
	of := func(batch string, copies int) func() relay {
		return func() relay { return &sidetrack{bin: *bin, batch: batch, copies: copies} }
	}
	systems := []system{
		{"sidetrack", usual, of("off", usual)},
		{"sidetrack adaptive", usual, of("adaptive", usual)},
		{"sidetrack batch 4", usual, of("4", usual)},
	}
	if path, err := exec.LookPath(*engine); err == nil {
		systems = append(systems, system{"rtpengine", usual, func() relay { return &rtpengine{bin: path} }})
	} else {
		fmt.Println("rtpengine is not installed (Debian: apt install rtpengine-daemon): measured without it")
	}
	if *only != "" {
		systems = slices.DeleteFunc(systems, func(s system) bool { return !slices.Contains(strings.Split(*only, ","), s.name) })
	}
	fmt.Println(traffic.MachineName())
	t := table{}
	t.head()
	run := func(sys system, calls int) {
		r, err := measure(sys, calls, *window, *settle)
		if err != nil {
			fmt.Println(err) // the other rows stand
			return
		}
		t.add(r)
	}
	for range *rounds {
		for _, n := range numbers(*calls) {
			for _, sys := range systems {
				run(sys, n)
			}
		}
		for _, n := range numbers(*copied) {
			for _, c := range numbers(*copies) {
				run(system{"sidetrack", c, of("off", c)}, n)
			}
		}
	}
	t.foot()
}

// usual is how many copies a recorded call has.
const usual = 2

// numbers reads a list.
func numbers(list string) (all []int) {
	for s := range strings.SplitSeq(list, ",") {
		if s == "" {
			continue
		}
		n, err := strconv.Atoi(s)
		fail(err)
		all = append(all, n)
	}
	return all
}

// system is a row's name, how many copies it makes of a call, and how to make what it measures.
type system struct {
	name   string
	copies int
	make   func() relay
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-media:", err)
		os.Exit(1)
	}
}

// measure runs one row.
func measure(sys system, n int, window, settle time.Duration) (row, error) {
	r := row{system: sys.name, calls: n, copies: sys.copies}
	wrap := func(doing string, err error) (row, error) {
		return r, fmt.Errorf("%s at %d calls: %s: %w", sys.name, n, doing, err)
	}
	under := sys.make()
	cmd, err := under.start()
	if err != nil {
		return wrap("starting", err)
	}
	defer under.close()
	defer func() { _, _ = cmd.Process.Kill(), cmd.Wait() }()
	pid := cmd.Process.Pid
	plan := traffic.Config{Calls: n, Host: host, Port: trafficPort, Sockets: sockets, Copies: sys.copies}
	load, err := traffic.New(plan)
	if err != nil {
		return wrap("binding the generator's sockets", err)
	}
	empty, err := traffic.RSS(pid)
	if err != nil {
		return wrap("reading its memory", err)
	}
	for call := range n {
		toCaller, toCallee, err := under.connect(call, plan)
		if err != nil {
			_ = load.Close()
			fmt.Fprint(os.Stderr, under.said())
			return wrap(fmt.Sprintf("setting call %d up", call), err)
		}
		load.Start(call, traffic.AB, toCaller)
		load.Start(call, traffic.BA, toCallee)
	}
	time.Sleep(settle)
	machine, err := traffic.MachineCPU()
	if err != nil {
		return wrap("reading the machine's time", err)
	}
	used, err := traffic.CPU(pid)
	if err != nil {
		return wrap("reading its time", err)
	}
	load.Begin()
	time.Sleep(window)
	load.End()
	usedAfter, err := traffic.CPU(pid)
	if err != nil {
		return wrap("reading its time", err)
	}
	machineAfter, err := traffic.MachineCPU()
	if err != nil {
		return wrap("reading the machine's time", err)
	}
	full, err := traffic.RSS(pid)
	if err != nil {
		return wrap("reading its memory", err)
	}
	time.Sleep(500 * time.Millisecond) // batches, and what queues
	if err := load.Close(); err != nil {
		return wrap("closing the generator", err)
	}
	r.result, r.used, r.busy = load.Result(), usedAfter.Sub(used), machineAfter.BusySince(machine)
	r.memory = float64(full-empty) / 1024 / float64(n)
	return r, nil
}
