package sip

// trimLWS removes the linear white space of RFC 3261 §25.1 from both ends.
func trimLWS(s string) string {
	for s != "" && isLWS(s[0]) {
		s = s[1:]
	}
	for s != "" && isLWS(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

func isLWS(c byte) bool { return c == ' ' || c == '\t' }

// indexLWS finds the first white space, -1 if there is none.
func indexLWS(s string) int {
	for i := 0; i < len(s); i++ {
		if isLWS(s[i]) {
			return i
		}
	}
	return -1
}

// skipQuoted gives the index after the quoted string that opens at s[i]; ok is false when it does not close.
func skipQuoted(s string, i int) (end int, ok bool) {
	for i++; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1, true
		}
	}
	return len(s), false
}

// indexOutside finds the first sep outside quoted strings and, if angles is set, outside <>; -1 if there is none.
func indexOutside(s string, sep byte, angles bool) int {
	depth := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' && !depth:
			end, _ := skipQuoted(s, i)
			i = end - 1
		case angles && c == '<':
			depth = true
		case angles && c == '>':
			depth = false
		case c == sep && !depth:
			return i
		}
	}
	return -1
}

// cutList takes the first element, trimmed, off a comma list; more tells whether a comma followed it.
func cutList(s string) (element, rest string, more bool) {
	if i := indexOutside(s, ',', true); i >= 0 {
		return trimLWS(s[:i]), s[i+1:], true
	}
	return trimLWS(s), "", false
}

// SplitList cuts a comma list outside quoted strings and <>; elements are trimmed, empty ones left out.
func SplitList(s string) []string { return appendList(nil, s) }

func appendList(elements []string, s string) []string {
	for more := true; more; {
		var element string
		if element, s, more = cutList(s); element != "" {
			elements = append(elements, element)
		}
	}
	return elements
}
