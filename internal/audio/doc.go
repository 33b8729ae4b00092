// Package audio holds the small amount of signal processing that a recorder
// and its tests need: codecs, WAV files, test voices and a tone detector.
//
// A [Codec] names an RTP audio encoding that can be turned into linear PCM; a
// [Decoder] is the state of one stream of it (G.722 is adaptive, so a decoder
// belongs to one stream and must see its packets in order). A [WAVWriter]
// appends 16-bit PCM to a file that stays playable when the process dies. A
// [Voice] makes audio that behaves like speech on a telephone line and differs
// per party, and [Tone] tells which party is heard in a piece of PCM.
//
// Everything here is pure: no clock, no goroutine, no network. PCM is always
// 16-bit signed, interleaved when there is more than one channel; a "frame" is
// one sample of every channel.
//
// Specifications: ITU-T G.711 (PCMU, PCMA), ITU-T G.722 at 64 kbit/s, RFC 3551
// §4.5 (how each is carried in RTP, and that the RTP clock of G.722 is 8000
// although it samples at 16 kHz), RIFF/WAVE for the files.
package audio
