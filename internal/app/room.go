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

// Sockets that a call with one audio stream has: RTP and RTCP of both parties, and of
// both their copies.
const (
	callFiles     = 4
	recordedFiles = 8
)

// room tells whether there are descriptors for another call besides so many. Each media
// port is one, and each connection; all else is little. A call that has not been
// answered yet has few of those that it is going to need.
func (a *App) room(calls int) bool {
	if a.files == 0 {
		return true // the system has no limit
	}
	each := callFiles
	if len(a.inForce.Load().cfg.Recorders) > 0 {
		each = recordedFiles
	}
	ports := a.media.Ports()
	return max(ports.Used, each*calls)+ports.Draining+a.transport.Connections() < a.files-a.files/spareFiles
}

func files(opt Options) int {
	if opt.Files > 0 {
		return opt.Files
	}
	return transport.Descriptors()
}
