package policy

import "strconv"

// Share is a part of all calls in hundred-thousandths: 10 % is 10,000. Zero
// means that no share was asked for.
type Share uint32

// Everything is the share of all calls.
const Everything Share = 100_000

// Takes reports whether a call is in the share. It goes by the Call-ID alone:
// the answer is the same after a restart and on every proxy, and a call that is
// in a small share is in every larger one.
func (s Share) Takes(callID string) bool {
	// FNV-1a, then the finalizer of MurmurHash3: FNV alone leaves the upper bits
	// of texts that differ only in their end too much alike.
	h := uint64(14695981039346656037)
	for i := range len(callID) {
		h = (h ^ uint64(callID[i])) * 1099511628211
	}
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	h ^= h >> 33
	return (h>>32)*uint64(Everything)>>32 < uint64(s)
}

// String is the share in percent.
func (s Share) String() string {
	return strconv.FormatFloat(float64(s)/float64(Everything)*100, 'f', -1, 64) + "%"
}
