package peer

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// Received is how many RTP packets have come.
func (m *Media) Received() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.packets)
}

// Missing are the numbers of what from has sent so far and m has not received.
func (m *Media) Missing(from *Media) (numbers []int) {
	heard := make([]bool, from.Sent())
	m.mu.Lock()
	for _, p := range m.packets {
		if p.Call == from.Call && p.Party == from.Party && p.Number > 0 && p.Number <= len(heard) {
			heard[p.Number-1] = true
		}
	}
	m.mu.Unlock()
	for i, has := range heard {
		if !has {
			numbers = append(numbers, i+1)
		}
	}
	return numbers
}

// Dropped is how many datagrams the kernel has thrown away at the UDP sockets of an IPv4 address because nobody read
// them in time; 0 where the kernel does not tell (other systems than Linux).
func Dropped(at netip.AddrPort) (n int) {
	table, _ := os.ReadFile("/proc/net/udp")
	four := at.Addr().As4()
	local := fmt.Sprintf("%08X:%04X", binary.LittleEndian.Uint32(four[:]), at.Port())
	for line := range strings.Lines(string(table)) {
		if f := strings.Fields(line); len(f) > 12 && f[1] == local {
			drops, _ := strconv.Atoi(f[len(f)-1])
			n += drops
		}
	}
	return n
}
