package resolve

import (
	"net/netip"
	"os"
	"strings"
	"sync"
	"time"
)

const hostsCheck = 5 * time.Second // between two looks at the file

// hostsFile is the system's table of names, read again when it changes.
type hostsFile struct {
	path string

	mu      sync.Mutex
	checked time.Time
	changed time.Time
	names   map[string][]netip.Addr
}

// lookup returns the addresses of a lower-case name. localhost is known in any
// case (RFC 6761 §6.3).
func (h *hostsFile) lookup(name string) ([]netip.Addr, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if now := time.Now(); now.Sub(h.checked) > hostsCheck {
		h.checked = now
		h.reload()
	}
	if addrs, ok := h.names[name]; ok {
		return addrs, true
	}
	if name == "localhost" {
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}, true
	}
	return nil, false
}

func (h *hostsFile) reload() {
	info, err := os.Stat(h.path)
	if err != nil {
		h.names = nil
		return
	}
	if info.ModTime().Equal(h.changed) && h.names != nil {
		return
	}
	text, err := os.ReadFile(h.path)
	if err != nil {
		return
	}
	h.changed, h.names = info.ModTime(), parseHosts(string(text))
}

// parseHosts reads hosts(5); IPv4 addresses come first, as in lookups.
func parseHosts(text string) map[string][]netip.Addr {
	names, six := make(map[string][]netip.Addr), make(map[string][]netip.Addr)
	for line := range strings.Lines(text) {
		line, _, _ = strings.Cut(line, "#")
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		addr, err := netip.ParseAddr(fields[0])
		if err != nil {
			continue
		}
		into := names
		if addr = addr.Unmap(); addr.Is6() {
			into = six
		}
		for _, name := range fields[1:] {
			name = strings.ToLower(strings.TrimSuffix(name, "."))
			into[name] = append(into[name], addr)
		}
	}
	for name, addrs := range six {
		names[name] = append(names[name], addrs...)
	}
	return names
}
