package recorder

import "time"

// Summary is what there is to tell about one recording session.
type Summary struct {
	ID        string          `json:"id"`        // RFC 7865 session id in URL-safe form; made up when the client sent none
	CallID    string          `json:"call_id"`   // Call-ID of the recording session
	Folder    string          `json:"folder"`    // where its files are; "" until the first one is written
	Start     time.Time       `json:"start"`     // time zero of all its files, UTC
	End       time.Time       `json:"end"`       // zero while it lives
	Seconds   float64         `json:"seconds"`   // length on the session's clock
	Parties   []Party         `json:"parties"`   // participants of the metadata, in its order
	Streams   []StreamSummary `json:"streams"`   // in the order of the m= sections
	Documents int             `json:"documents"` // metadata documents received
	Problems  []string        `json:"problems"`  // what is wrong with signalling, metadata or media
	Complete  bool            `json:"complete"`  // ended by the client, each stream heard, no packet missing, all of it on disk
	Reason    string          `json:"reason"`    // why it ended; "" while it lives
}

// Party is a participant of the recorded call.
type Party struct {
	AOR  string `json:"aor"`
	Name string `json:"name,omitempty"`
}

// StreamSummary is one recorded stream. Positions are seconds on the session's clock.
type StreamSummary struct {
	Label     string  `json:"label"`
	Party     string  `json:"party"`     // address of record of who sends it, by the metadata; "" when not told
	Kind      string  `json:"kind"`      // audio, video, …
	Codec     string  `json:"codec"`     // encoding name of what was received, else of what was offered first
	File      string  `json:"file"`      // path of the .wav or .pcap; "" when there is none
	Packets   uint64  `json:"packets"`   // distinct RTP packets received
	Octets    uint64  `json:"octets"`    // their payload
	Lost      uint64  `json:"lost"`      // never arrived
	Late      uint64  `json:"late"`      // arrived too late to be placed
	Duplicate uint64  `json:"duplicate"` // arrived more than once
	Reordered uint64  `json:"reordered"` // arrived out of order, and put right
	Dropped   uint64  `json:"dropped"`   // from strangers, malformed, or of a source not followed
	Events    uint64  `json:"events"`    // DTMF events (RFC 4733), not part of the audio
	Sources   uint64  `json:"sources"`   // synchronization sources (SSRC) followed, one after another
	First     float64 `json:"first"`     // position of the first audio
	Seconds   float64 `json:"seconds"`   // length of the file
	Jitter    float64 `json:"jitter"`    // interarrival jitter in seconds (RFC 3550 A.8)
	Aligned   float64 `json:"aligned"`   // seconds by which sender reports moved the file
	Gaps      []Gap   `json:"gaps"`      // silence that no pause explains, the first thousand
	GapCount  int     `json:"gap_count"`
	Pauses    []Pause `json:"pauses"` // as signalled, the first thousand

	damaged bool // the file lacks something that was received
}

// Gap is a stretch for which nothing was received although the stream was not paused.
type Gap struct {
	At      float64 `json:"at"`
	Seconds float64 `json:"seconds"`
	Lost    uint64  `json:"lost"` // packets missing in it; 0: the sender was silent
}

// Pause is a stretch for which the client had declared the stream inactive.
type Pause struct {
	From float64 `json:"from"`
	To   float64 `json:"to"` // 0 while it lasts
}
