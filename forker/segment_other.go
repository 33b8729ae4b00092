//go:build !linux || !(amd64 || arm64)

package forker

// refusesSegments: nothing is sent in segments here.
func refusesSegments(error) bool { return false }
