package app

import "sidetrack/internal/sip/transport"

// spareFiles is the share of the process's descriptors, one in so many, that is kept
// for what runs: the copies of calls that have just been answered, streams that come
// later, connections, DNS, the API. New calls get 503 in time, while those that were
// answered are recorded.
const spareFiles = 16

// room tells whether there are descriptors for another call. Each media port is one,
// and each connection; all else is little.
func (a *App) room() bool {
	if a.files == 0 {
		return true // the system has no limit
	}
	ports := a.media.Ports()
	return ports.Used+ports.Draining+a.transport.Connections() < a.files-a.files/spareFiles
}

func files(opt Options) int {
	if opt.Files > 0 {
		return opt.Files
	}
	return transport.Descriptors()
}
