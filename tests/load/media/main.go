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
		first, _, _ := strings.Cut(*calls, ",")
		n, err := strconv.Atoi(first)
		fail(err)
		fail(soak(&sidetrack{bin: *bin, batch: "off"}, n, *soaking))
		return
	}
	systems := []system{
		{"sidetrack", func() relay { return &sidetrack{bin: *bin, batch: "off"} }},
		{"sidetrack adaptive", func() relay { return &sidetrack{bin: *bin, batch: "adaptive"} }},
		{"sidetrack batch 4", func() relay { return &sidetrack{bin: *bin, batch: "4"} }},
	}
	if path, err := exec.LookPath(*engine); err == nil {
		systems = append(systems, system{"rtpengine", func() relay { return &rtpengine{bin: path} }})
	} else {
		fmt.Println("rtpengine is not installed (Debian: apt install rtpengine-daemon): measured without it")
	}
	if *only != "" {
		systems = slices.DeleteFunc(systems, func(s system) bool { return !slices.Contains(strings.Split(*only, ","), s.name) })
	}
	fmt.Println(traffic.MachineName())
	t := table{}
	t.head()
	for range *rounds {
		for _, s := range strings.Split(*calls, ",") {
			n, err := strconv.Atoi(s)
			fail(err)
			for _, sys := range systems {
				r, err := measure(sys, n, *window, *settle)
				if err != nil {
					fmt.Println(err) // the other rows stand
					continue
				}
				t.add(r)
			}
		}
	}
	t.foot()
}

// system is a row's name and how to make what it measures.
type system struct {
	name string
	make func() relay
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench-media:", err)
		os.Exit(1)
	}
}

// measure runs one row.
func measure(sys system, n int, window, settle time.Duration) (row, error) {
	r := row{system: sys.name, calls: n}
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
	plan := traffic.Config{Calls: n, Host: host, Port: trafficPort, Sockets: sockets}
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
