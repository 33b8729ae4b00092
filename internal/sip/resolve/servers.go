package resolve

import (
	"log/slog"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/miekg/dns"
)

const (
	serversCheck = 5 * time.Second // between two looks at the file
	silentFor    = 5 * time.Minute // how long a name server that was silent is asked last (RFC 2308 §7.2)
)

// servers are the name servers and the search list: those given, or those of the
// system's file, which is read again when it changes. Machines get theirs late, and
// others when they move.
type servers struct {
	log  *slog.Logger
	path string

	mu      sync.Mutex
	conf    *dns.ClientConfig // servers as host:port; replaced, never changed
	given   bool              // conf is not of the file
	checked time.Time
	changed time.Time // the file
	told    bool      // that it cannot be read
	silent  map[string]time.Time
}

func newServers(cfg Config) *servers {
	s := &servers{log: cfg.Log, path: cfg.Conf, conf: &dns.ClientConfig{Ndots: 1}, silent: make(map[string]time.Time)}
	if s.given = len(cfg.Servers) > 0; s.given {
		s.conf.Servers = cfg.Servers
	}
	return s
}

// names returns the names that are meant by one, in the order in which to ask for them.
func (s *servers) names(name string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.given && time.Since(s.checked) > serversCheck {
		s.checked = time.Now()
		s.reload()
	}
	return s.conf.NameList(name)
}

// inOrder returns the name servers, those last that were silent.
func (s *servers) inOrder(now time.Time) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	order := slices.Clone(s.conf.Servers)
	slices.SortStableFunc(order, func(a, b string) int { return s.rank(a, now) - s.rank(b, now) })
	return order
}

func (s *servers) rank(server string, now time.Time) int {
	if now.Before(s.silent[server]) {
		return 1
	}
	return 0
}

// heard notes whether a name server has said anything at all.
func (s *servers) heard(server string, anything bool, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if anything {
		delete(s.silent, server)
	} else {
		s.silent[server] = now.Add(silentFor)
	}
}

// reload reads the file if it has changed. What was known stays while it cannot be read.
func (s *servers) reload() {
	info, err := os.Stat(s.path)
	if err == nil && info.ModTime().Equal(s.changed) {
		return
	}
	var conf *dns.ClientConfig
	if err == nil {
		conf, err = dns.ClientConfigFromFile(s.path)
	}
	if err != nil {
		if !s.told {
			s.log.Warn("name servers not read", "file", s.path, "error", err)
		}
		s.told = true
		return
	}
	for i, server := range conf.Servers {
		conf.Servers[i] = net.JoinHostPort(server, conf.Port)
	}
	s.conf, s.changed, s.told = conf, info.ModTime(), false
	clear(s.silent)
}
