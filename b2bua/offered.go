package b2bua

import (
	"sync"

	"sidetrack/internal/sdp"
	"sidetrack/internal/sip"
	"sidetrack/internal/sip/body"
)

// offeredCodecs gives the codecs that the request's offer names, read when a
// rule first asks: most rules do not.
func offeredCodecs(req *sip.Message) func() []string {
	return sync.OnceValue(func() []string {
		part, ok := body.Find(req, sdpType)
		if !ok {
			return nil
		}
		s, err := sdp.Parse(part.Body)
		if err != nil {
			return nil
		}
		var names []string
		for _, m := range s.Media() {
			for _, f := range m.RTP() {
				if f.Name != "" {
					names = append(names, f.Name)
				}
			}
		}
		return names
	})
}
