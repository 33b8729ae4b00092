package recorder

import (
	"regexp"
	"slices"

	"sidetrack/internal/sdp"
	"sidetrack/internal/srtp"
)

// crypt is the SRTP of a stream, keyed by SDES (RFC 4568). The zero value is for
// a stream in clear. Guarded by the stream's mu.
type crypt struct {
	sealed bool
	own    *srtp.Key // of our reports
	in     srtp.Opener
	out    *srtp.Sealer
	closed uint64 // datagrams that the key does not open
}

// keyed tells whether a secure section has a key that we can use.
func keyed(m *sdp.Media) bool { return len(m.Cryptos()) > 0 }

// negotiate takes a section of an offer: its first line that we can use. Our own
// key is drawn with the suite and stays as long as that does.
func (c *crypt) negotiate(m *sdp.Media) ([]sdp.Crypto, error) {
	offered := m.Cryptos()
	if c.sealed = m.Secure(); !c.sealed || len(offered) == 0 {
		return nil, nil
	}
	choice := offered[0]
	if i := slices.IndexFunc(offered, func(o sdp.Crypto) bool { return c.own != nil && o.Key.Suite == c.own.Suite }); i >= 0 {
		choice = offered[i]
	} else {
		own, err := srtp.NewKey(choice.Key.Suite)
		if err != nil {
			return nil, err
		}
		if c.out, err = srtp.NewSealer(own); err != nil {
			return nil, err
		}
		c.own = own
	}
	if err := c.in.SetKey(choice.Key); err != nil {
		return nil, err
	}
	return []sdp.Crypto{{Tag: choice.Tag, Key: c.own}}, nil
}

// open gives a datagram in clear; false when it is to be dropped.
func (c *crypt) open(b []byte, control bool) ([]byte, bool) {
	if !c.sealed || len(b) == 0 {
		return b, true
	}
	open := c.in.RTP
	if control {
		open = c.in.RTCP
	}
	clear, err := open(b)
	if err != nil {
		c.closed++
	}
	return clear, err == nil
}

// seal is open for our reports.
func (c *crypt) seal(b []byte) ([]byte, bool) {
	if !c.sealed {
		return b, true
	}
	out, err := c.out.RTCP(b)
	return slices.Clone(out), err == nil
}

var inlineKey = regexp.MustCompile(`(?i)inline:[^\s|;]*`)

// hideKeys takes the keys out of a description that is to be kept.
func hideKeys(text string) string { return inlineKey.ReplaceAllString(text, "inline:hidden") }
