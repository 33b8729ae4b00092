package config

import (
	"fmt"
	"strings"
)

// expand replaces each ${NAME} in s by the variable's value; $${ stands for a
// literal ${. It reports whether anything came out of the environment. The
// values themselves never appear in an error.
func expand(s string, env func(string) (string, bool)) (out string, fromEnv bool, err error) {
	if !strings.Contains(s, "${") {
		return s, false, nil
	}
	var b strings.Builder
	for {
		i := strings.Index(s, "${")
		if i < 0 {
			b.WriteString(s)
			return b.String(), fromEnv, nil
		}
		if i > 0 && s[i-1] == '$' {
			b.WriteString(s[:i-1] + "${")
			s = s[i+2:]
			continue
		}
		b.WriteString(s[:i])
		name, rest, closed := strings.Cut(s[i+2:], "}")
		if !closed || !validName(name) {
			return "", false, fmt.Errorf("a variable is written ${NAME}; write $${ for a literal ${")
		}
		value, set := env(name)
		if !set {
			return "", false, fmt.Errorf("environment variable %s is not set; set it, or write the value here", name)
		}
		b.WriteString(value)
		s, fromEnv = rest, true
	}
}

func validName(s string) bool {
	for i, r := range s {
		letter := r == '_' || 'a' <= r|0x20 && r|0x20 <= 'z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}
