package audio

import "strings"

// Codec describes one RTP audio encoding that this package can decode.
type Codec struct {
	Name     string // encoding name as in a=rtpmap, upper case: PCMU, PCMA, G722, L16
	Clock    int    // RTP timestamp units per second
	Rate     int    // PCM frames per second after decoding
	Channels int    // interleaved channels after decoding
}

// Decoder turns the RTP payloads of one stream, in order, into PCM.
type Decoder interface {
	// Decode appends the PCM of payload to dst and returns the longer slice.
	// The payload is not kept. Bytes that do not fill a whole frame are ignored.
	Decode(dst []int16, payload []byte) []int16
}

// Encoder turns PCM into the RTP payloads of one stream.
type Encoder interface {
	// Encode appends the payload of pcm to dst and returns the longer slice.
	// Samples that do not fill a whole code word are ignored.
	Encode(dst []byte, pcm []int16) []byte
}

// maxL16Rate bounds what an SDP can make us allocate per second of L16.
const maxL16Rate = 192000

// FindCodec returns the codec for an a=rtpmap of the given encoding name (any
// case), clock rate and channel count (0 means 1), or false when its audio
// cannot be decoded here.
func FindCodec(name string, clock, channels int) (Codec, bool) {
	if channels == 0 {
		channels = 1
	}
	c := Codec{Name: strings.ToUpper(name), Clock: clock, Rate: clock, Channels: channels}
	switch c.Name {
	case "PCMU", "PCMA":
		return c, clock == 8000 && channels == 1
	case "G722":
		// The clock says 8000 by a mistake that RFC 3551 §4.5.2 keeps for good.
		c.Rate = 16000
		return c, clock == 8000 && channels == 1
	case "L16":
		return c, clock > 0 && clock <= maxL16Rate && channels <= 2 && channels > 0
	}
	return Codec{}, false
}

// NewDecoder returns a fresh decoder for one stream of c, which must come from
// [FindCodec]; it returns nil for any other name.
func (c Codec) NewDecoder() Decoder {
	switch c.Name {
	case "PCMU":
		return ulaw{}
	case "PCMA":
		return alaw{}
	case "G722":
		return NewG722Decoder()
	case "L16":
		return L16{}
	}
	return nil
}

// NewEncoder returns a fresh encoder for one stream of c, or nil for a codec
// that [FindCodec] does not know.
func (c Codec) NewEncoder() Encoder {
	switch c.Name {
	case "PCMU":
		return ulaw{}
	case "PCMA":
		return alaw{}
	case "G722":
		return NewG722Encoder()
	case "L16":
		return L16{}
	}
	return nil
}

// Frames converts a duration in RTP timestamp units into PCM frames.
func (c Codec) Frames(ticks int64) int64 {
	return ticks * int64(c.Rate) / int64(c.Clock)
}

// Ticks converts PCM frames into RTP timestamp units.
func (c Codec) Ticks(frames int64) int64 {
	return frames * int64(c.Clock) / int64(c.Rate)
}

// PayloadFrames is how many PCM frames a payload of n bytes holds.
func (c Codec) PayloadFrames(n int) int64 {
	switch c.Name {
	case "G722":
		return int64(n) * 2
	case "L16":
		return int64(n / (2 * c.Channels))
	}
	return int64(n)
}
