package app

import "sidetrack/internal/sip/transport"

// webFiles is the share of the process's descriptors, one in so many, that connections to
// the API may take: less than calls leave (b2bua.Config.Files), so that it never is a call
// that goes without.
const webFiles = 32

func files(opt Options) int {
	if opt.Files > 0 {
		return opt.Files
	}
	return transport.Descriptors()
}
