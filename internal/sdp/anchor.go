package sdp

import "net/netip"

// Anchor makes the section's media come to us.
func (m *Media) Anchor(rtp, rtcp netip.AddrPort) {}

// StripICE removes all ICE attributes of the session and its sections.
func (s *Session) StripICE() {}
