package src

import (
	"crypto/sha256"
	"net/netip"
	"slices"
	"strconv"

	"sidetrack/internal/sdp"
)

// offer is a session description as it was sent, with what is needed to read
// the answer to it.
type offer struct {
	media   []sdp.OfferMedia
	numbers []carried // by m-line
	version uint64
	body    []byte
}

// answered is what the SRS made of one m-line.
type answered = sdp.AnswerMedia

// origin is what the descriptions of one recording session have in common
// (RFC 8866 §5.2).
type origin struct {
	sessionID uint64
	addr      netip.Addr
}

// makeOffer writes the description of all streams: one m-line each, sendonly
// where wanted says so, else inactive (RFC 7866 §7.1.1).
func makeOffer(o origin, version uint64, all []*stream, wanted func(*stream) bool) offer {
	out := offer{version: version}
	for _, st := range all {
		out.media = append(out.media, st.section(wanted(st)))
		out.numbers = append(out.numbers, st.carried)
	}
	out.body = o.describe(version, out.media)
	return out
}

// describe writes a description of ours: an offer or an answer.
func (o origin) describe(version uint64, media []sdp.OfferMedia) []byte {
	return sdp.Offer{SessionID: o.sessionID, Version: version, Addr: o.addr, Media: media}.Bytes()
}

// fingerprint is what is kept of a text that is only compared with another.
type fingerprint [sha256.Size]byte

func fingerprintOf(text []byte) fingerprint { return sha256.Sum256(text) }

// sense is the same for two offers that differ in nothing but their version. Keys
// stay for the life of a dialog; that only the chosen ones are told again is no
// change.
func (o *offer) sense(org origin) fingerprint {
	return fingerprintOf(org.describe(0, keyless(o.media)))
}

func keyless(media []sdp.OfferMedia) []sdp.OfferMedia {
	out := slices.Clone(media)
	for i := range out {
		out[i].Cryptos = nil
	}
	return out
}

// match reads an answer to the offer. It reports whether any stream was
// accepted, and why not where none was.
func (o *offer) match(answer *sdp.Session) (answers []answered, usable bool, why string) {
	answers = sdp.MatchAnswer(o.media, answer)
	for i, a := range answers {
		if a.Accepted {
			return answers, true, ""
		}
		if why == "" || o.media[i].Port != 0 {
			why = a.Reason
		}
	}
	return answers, false, why
}

func decimal(n int) string { return strconv.Itoa(n) }
