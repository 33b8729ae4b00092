//go:build linux

package traffic

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Used is CPU time of a process.
type Used struct{ User, System time.Duration }

// Sub is what was used since.
func (u Used) Sub(before Used) Used { return Used{u.User - before.User, u.System - before.System} }

// Total is user and system time.
func (u Used) Total() time.Duration { return u.User + u.System }

// CPU reads what a process has used so far, in steps of 10 ms.
func CPU(pid int) (Used, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Used{}, err
	}
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	if len(fields) < 13 {
		return Used{}, fmt.Errorf("/proc/%d/stat: %d fields", pid, len(fields))
	}
	user, err := strconv.ParseInt(fields[11], 10, 64)
	if err != nil {
		return Used{}, err
	}
	system, err := strconv.ParseInt(fields[12], 10, 64)
	if err != nil {
		return Used{}, err
	}
	const tick = time.Second / 100 // USER_HZ
	return Used{time.Duration(user) * tick, time.Duration(system) * tick}, nil
}

// RSS is the resident memory of a process in bytes.
func RSS(pid int) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(b))
	if len(fields) < 2 {
		return 0, fmt.Errorf("/proc/%d/statm: %d fields", pid, len(fields))
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize()), err
}

// Machine is the time of all processors.
type Machine struct{ idle, all uint64 }

// MachineCPU reads it.
func MachineCPU() (m Machine, err error) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return m, err
	}
	line, _, _ := strings.Cut(string(b), "\n")
	for i, f := range strings.Fields(line) {
		if i == 0 || i > 8 { // guest time is in user time already
			continue
		}
		n, err := strconv.ParseUint(f, 10, 64)
		if err != nil {
			return m, err
		}
		m.all += n
		if i == 4 || i == 5 { // idle, iowait
			m.idle += n
		}
	}
	return m, nil
}

// BusySince is the share of time, 0 to 1, in which the processors were not idle.
func (m Machine) BusySince(before Machine) float64 {
	return 1 - float64(m.idle-before.idle)/float64(max(m.all-before.all, 1))
}

// Overflown is how many IPv4 datagrams this network namespace has thrown away so far because their socket was full.
func Overflown() (uint64, error) {
	b, err := os.ReadFile("/proc/net/snmp") // a line of names, then one of values
	if err != nil {
		return 0, err
	}
	var names []string
	for line := range strings.Lines(string(b)) {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0 || fields[0] != "Udp:":
		case names == nil:
			names = fields
		default:
			if i := slices.Index(names, "RcvbufErrors"); i >= 0 && i < len(fields) {
				return strconv.ParseUint(fields[i], 10, 64)
			}
		}
	}
	return 0, errors.New("/proc/net/snmp: no RcvbufErrors of UDP")
}

// MachineName says what this machine is: processors, kernel, Go.
func MachineName() string {
	model := "processors"
	if b, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if _, rest, ok := strings.Cut(string(b), "model name"); ok {
			line, _, _ := strings.Cut(rest, "\n")
			model = strings.TrimLeft(line, "\t :")
		}
	}
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return fmt.Sprintf("%d x %s, Linux %s, %s", runtime.NumCPU(), model, strings.TrimSpace(string(kernel)), runtime.Version())
}
