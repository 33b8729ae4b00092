package app

import "sidetrack/internal/sip/transport"

// spareFiles is the share of the process's descriptors, one in so many, that is kept
// for what runs: the copies of calls that have just been answered, streams that come
// later, connections, DNS, the API. New calls get 503 in time, while those that were
// answered are recorded.
const spareFiles = 16

// webFiles is the share of them that connections to the API may take: less than is spared, so
// that it never is a call that goes without.
const webFiles = 2 * spareFiles

// room tells whether there are descriptors for a call that will have so many sockets
// more than those that run. Each media port is one, and each connection; all else is
// little. A call that has not been answered yet has few of those that it will have.
func (a *App) room(running, more int) bool {
	if a.files == 0 {
		return true // the system has no limit
	}
	ports := a.media.Ports()
	return max(ports.Used, running)+more+ports.Draining+a.transport.Connections() <= a.files-a.files/spareFiles
}

func files(opt Options) int {
	if opt.Files > 0 {
		return opt.Files
	}
	return transport.Descriptors()
}
