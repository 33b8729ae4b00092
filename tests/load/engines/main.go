//go:build linux && (amd64 || arm64)

package main

import (
	"bufio"
	"errors"
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

var host = netip.MustParseAddr("127.9.0.1")

const (
	loadPort   = 11000
	enginePort = 12000 // + 4 a call: towards caller and callee, copies of either
)

// candidate is a way of moving packets. It returns only with an error.
type candidate struct {
	name string
	run  func([]flow) error
}

var candidates = []candidate{
	{"netpoller", netpoller},
	{"epoll, never yields", func(f []flow) error { return epoll(f, options{workers: 1, hogs: true}) }},
	{"epoll", func(f []flow) error { return epoll(f, options{workers: 1}) }},
	{"epoll, connected", func(f []flow) error { return epoll(f, options{workers: 1, connected: true}) }},
	{"epoll, connected, 2 workers", func(f []flow) error { return epoll(f, options{workers: 2, connected: true}) }},
	{"epoll, connected, copies by 4", func(f []flow) error { return epoll(f, options{workers: 1, connected: true, segments: 4}) }},
	{"io_uring, receives only", func(f []flow) error { return uring(f, options{direct: true}) }},
	{"io_uring", func(f []flow) error { return uring(f, options{}) }},
	{"io_uring, copies by 4", func(f []flow) error { return uring(f, options{segments: 4}) }},
}

func main() {
	calls := flag.String("calls", "50,400", "numbers of calls")
	window := flag.Duration("window", 5*time.Second, "how long each is measured")
	only := flag.String("only", "", "candidates, separated by semicolons; empty: all")
	repeat := flag.Int("repeat", 1, "rounds over everything")
	child := flag.Int("child", -1, "internal: be that candidate")
	flag.Parse()
	if *child >= 0 {
		n, err := strconv.Atoi(*calls)
		if err == nil {
			err = serve(candidates[*child], n)
		}
		fail(err)
	}
	fmt.Println(traffic.MachineName())
	fmt.Printf("%-32s %6s %9s %8s %8s %9s %9s %9s\n", "candidate", "calls", "us/packet", "user us", "lost", "p50 ms", "p99 ms", "max ms")
	for range *repeat {
		for _, s := range strings.Split(*calls, ",") {
			n, err := strconv.Atoi(s)
			fail(err)
			for i, c := range candidates {
				if *only == "" || slices.Contains(strings.Split(*only, ";"), c.name) {
					if err := measure(i, n, *window); err != nil {
						fmt.Printf("%-32s %6d %v\n", c.name, n, err)
					}
				}
			}
		}
	}
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "engines:", err)
		os.Exit(1)
	}
}

// measure runs one candidate under the traffic of n calls.
func measure(index, n int, window time.Duration) (err error) {
	cmd := exec.Command(os.Args[0], "-child", strconv.Itoa(index), "-calls", strconv.Itoa(n))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() { _, _ = cmd.Process.Kill(), cmd.Wait() }()
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		return errors.New("the candidate does not work here")
	}
	load, err := traffic.New(plan(n))
	if err != nil {
		return err
	}
	for call := range n {
		load.Start(call, traffic.AB, local(call, 0))
		load.Start(call, traffic.BA, local(call, 1))
	}
	time.Sleep(time.Second)
	before, err := traffic.CPU(cmd.Process.Pid)
	if err != nil {
		return err
	}
	load.Begin()
	time.Sleep(window)
	load.End()
	after, err := traffic.CPU(cmd.Process.Pid)
	if err != nil {
		return err
	}
	time.Sleep(300 * time.Millisecond)
	if err := load.Close(); err != nil {
		return err
	}
	r := load.Result()
	per := func(d time.Duration) float64 { return float64(d) / 1e3 / float64(r.Sent-r.LostFar) }
	ms := func(d time.Duration) float64 { return float64(d) / 1e6 }
	used := after.Sub(before)
	fmt.Printf("%-32s %6d %9.2f %8.2f %8d %9.3f %9.3f %9.3f\n", candidates[index].name, n, per(used.Total()), per(used.User),
		r.LostFar+r.LostCopy, ms(r.Relay.Quantile(.5)), ms(r.Relay.Quantile(.99)), ms(r.Relay.Max()))
	return nil
}

func plan(n int) traffic.Config {
	return traffic.Config{Calls: n, Host: host, Port: loadPort, Sockets: 4, Copies: 2}
}

// local is one of an engine's ports.
func local(call, which int) netip.AddrPort {
	return netip.AddrPortFrom(host, uint16(enginePort+4*call+which))
}

// serve is the candidate's process.
func serve(c candidate, n int) error {
	flows, err := bindFlows(n)
	if err != nil {
		return err
	}
	return c.run(flows)
}

// ready tells the parent to go on.
func ready() { fmt.Println("ready") }
