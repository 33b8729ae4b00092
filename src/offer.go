package src

import (
	"bytes"
	"hash/maphash"
	"net/netip"
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
	out := offer{version: version, media: make([]sdp.OfferMedia, len(all)), numbers: make([]carried, len(all))}
	for i, st := range all {
		out.media[i], out.numbers[i] = st.section(wanted(st)), st.carried
	}
	out.body = o.describe(version, out.media)
	return out
}

// describe writes a description of ours: an offer or an answer.
func (o origin) describe(version uint64, media []sdp.OfferMedia) []byte {
	return sdp.Offer{SessionID: o.sessionID, Version: version, Addr: o.addr, Media: media}.Bytes()
}

// fingerprint is what is kept of a description that is only compared with another; 0: of none.
type fingerprint uint64

var fingerprints = maphash.MakeSeed()

// fingerprintOf is that of a description of a session as if it had that version.
func fingerprintOf(version uint64, description []byte) fingerprint {
	return fingerprintWith(version, description, true)
}

// sense is the same for two offers that differ in nothing but their version. Keys
// stay for the life of a dialog; that only the chosen ones are told again is no
// change.
func (o *offer) sense() fingerprint { return fingerprintWith(0, o.body, false) }

// fingerprintWith goes by all lines but that of the origin, which has the version, and by the keys where they count.
func fingerprintWith(version uint64, description []byte, keys bool) fingerprint {
	var h maphash.Hash
	h.SetSeed(fingerprints)
	maphash.WriteComparable(&h, version)
	for line := range bytes.Lines(description) {
		if !bytes.HasPrefix(line, []byte("o=")) && (keys || !bytes.HasPrefix(line, []byte("a=crypto:"))) {
			h.Write(line)
		}
	}
	return fingerprint(h.Sum64())
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
