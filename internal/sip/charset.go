package sip

// Character classes of RFC 3261 §25.1 as one table: a bit per class.
const (
	classToken = 1 << iota
	classHost
	classScheme
)

var classes = func() (t [256]byte) {
	for c := 0; c < 256; c++ {
		alnum := c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if alnum {
			t[c] = classToken | classHost | classScheme
		}
		if c >= 0x80 {
			t[c] |= classHost // internationalised names written raw; the resolver decides
		}
	}
	for _, c := range "-.!%*_+`'~" {
		t[c] |= classToken
	}
	for _, c := range "-._~%" {
		t[c] |= classHost
	}
	for _, c := range "+-." {
		t[c] |= classScheme
	}
	return t
}()

func inClass(s string, class byte) bool {
	if s == "" {
		return false
	}
	for i := 0; i < len(s); i++ {
		if classes[s[i]]&class == 0 {
			return false
		}
	}
	return true
}

// IsToken reports whether s is a token (RFC 3261 §25.1), as the names of header
// fields are.
func IsToken(s string) bool { return s != "" && isToken(s) }

func isToken(s string) bool { return inClass(s, classToken) }
func isHost(s string) bool  { return inClass(s, classHost) }
func isScheme(s string) bool {
	return inClass(s, classScheme) && (s[0]|0x20) >= 'a' && (s[0]|0x20) <= 'z'
}

func isDigits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

func hasSpaceOrControl(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] <= ' ' || s[i] == 0x7f {
			return true
		}
	}
	return false
}
