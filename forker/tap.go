package forker

import "net/netip"

// TapConfig names a Tap.
type TapConfig struct {
	Label    string     // a=label of the copy
	CNAME    string     // SDES CNAME (RFC 3550 §6.5.1) of the copy
	Recorder string     // metrics label
	Local    netip.Addr // where its ports bind; zero: Config.Listen
}

// Tap is the copy of one Flow.
type Tap struct{}

// Local gives the advertised addresses the copy is sent from.
func (t *Tap) Local() (rtp, rtcp netip.AddrPort) { return }

// SetFormats gives the clock rate of each payload type of the call.
func (t *Tap) SetFormats(clock map[uint8]int) {}

// SendTo starts copying.
func (t *Tap) SendTo(rtp, rtcp netip.AddrPort, pt map[uint8]uint8) {}

// Pause stops copying.
func (t *Tap) Pause() {}

// Resume goes on copying.
func (t *Tap) Resume() {}

// Stats gives a snapshot.
func (t *Tap) Stats() TapStats { return TapStats{} }

// Close ends the copy.
func (t *Tap) Close() {}
