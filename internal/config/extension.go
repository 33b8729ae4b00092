package config

import (
	"net/url"
	"slices"
)

// maxExtensions is how many identifiers the one-byte form of a header extension has
// (RFC 8285 §4.2).
const maxExtensions = 14

// headerExtensions reads URIs of RTP header extensions.
func (c cursor) headerExtensions() (list []string) {
	const example = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
	for _, item := range c.words("URIs of RTP header extensions such as [" + example + "]") {
		u, err := url.Parse(item.n.text)
		switch {
		case err != nil || u.Scheme == "" || u.Opaque == "" && u.Host == "":
			item.failf("%s is no URI of a header extension; write one such as %s", item.show(), example)
		case slices.Contains(list, item.n.text):
			item.failf("%s is listed twice", item.show())
		default:
			list = append(list, item.n.text)
		}
	}
	if len(list) > maxExtensions {
		c.failf("names %d header extensions; write %d at most, so many can be told apart", len(list), maxExtensions)
	}
	return list
}
