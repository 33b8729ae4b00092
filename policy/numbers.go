package policy

import (
	"bufio"
	"bytes"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
)

// Numbers is a list of telephone numbers and users. Its content may be replaced
// at any time; readers see the old list or the new one. The zero value is
// empty. Safe for concurrent use.
type Numbers struct {
	name string
	set  atomic.Pointer[NumberSet]
}

// NewNumbers makes a list with a name for people (the file it came from).
func NewNumbers(name string, set *NumberSet) *Numbers {
	n := &Numbers{name: name}
	n.Replace(set)
	return n
}

// String is the list's name.
func (n *Numbers) String() string { return n.name }

// Replace puts another content in force.
func (n *Numbers) Replace(set *NumberSet) { n.set.Store(set) }

// Has reports whether the address is on the list.
func (n *Numbers) Has(a Address) bool {
	set := n.set.Load()
	return set != nil && set.has(a)
}

// Len is the number of entries.
func (n *Numbers) Len() int {
	if set := n.set.Load(); set != nil {
		return set.Len()
	}
	return 0
}

// NumberSet is the content of a list, immutable. A million numbers take 8 MB
// and are searched in 20 steps.
type NumberSet struct {
	digits   []uint64            // whole numbers, as digitKey has them, sorted
	prefixes []uint64            // of numbers, likewise
	lengths  []int               // of the prefixes, without repetition
	others   map[string]struct{} // users that are no numbers, and user@host
}

// maxDigits is how long a number may be: E.164 has 15, and dial plans add some.
const maxDigits = 18

// ParseNumbers reads a list: one entry a line, # begins a comment. An entry is
// a number as people write it (+49 30 1234-56; blanks and -./() do not count, nor does a
// leading +), the beginning of numbers (+4930*), a user, or user@host. The
// error names the first line that is none of these.
func ParseNumbers(text []byte) (*NumberSet, error) {
	s := &NumberSet{others: map[string]struct{}{}}
	lines := bufio.NewScanner(bytes.NewReader(bytes.TrimPrefix(text, []byte("\uFEFF")))) // as spreadsheets begin a file
	for n := 1; lines.Scan(); n++ {
		entry, _, _ := strings.Cut(lines.Text(), "#")
		if entry = strings.TrimSpace(entry); entry == "" {
			continue
		}
		if err := s.add(entry); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	slices.Sort(s.digits)
	s.digits = slices.Clip(slices.Compact(s.digits))
	slices.Sort(s.prefixes)
	s.prefixes = slices.Compact(s.prefixes)
	slices.Sort(s.lengths)
	s.lengths = slices.Compact(s.lengths)
	return s, nil
}

func (s *NumberSet) add(entry string) error {
	start, isPrefix := strings.CutSuffix(entry, "*")
	key, length, isNumber := digitKey(start, " -./()")
	switch {
	case isNumber && isPrefix:
		s.prefixes = append(s.prefixes, key)
		s.lengths = append(s.lengths, length)
	case isNumber:
		s.digits = append(s.digits, key)
	case isPrefix || strings.ContainsAny(entry, " \t;<>\"?") || strings.HasPrefix(entry, "@") ||
		strings.ContainsFunc(entry, unfit) || strings.Contains(entry, ",") && strings.Trim(entry[:1], "+0123456789") == "":
		return fmt.Errorf("%q is no number, user or user@host; write +49301234, +4930*, alice or alice@example.com", entry)
	default:
		s.others[unescaped(entry)] = struct{}{}
	}
	return nil
}

// Len is the number of entries, each counted once.
func (s *NumberSet) Len() int { return len(s.digits) + len(s.prefixes) + len(s.others) }

func (s *NumberSet) has(a Address) bool {
	user := a.User
	if user == "" {
		user = telNumber(a.URI)
	}
	if user == "" {
		return false
	}
	user = unescaped(user)
	if key, length, ok := digitKey(user, "-.()"); ok { // RFC 3966 §3: visual separators
		if _, found := slices.BinarySearch(s.digits, key); found {
			return true
		}
		for _, n := range s.lengths {
			if n > length {
				break
			}
			if _, found := slices.BinarySearch(s.prefixes, cutKey(key, length, n)); found {
				return true
			}
		}
	}
	if len(s.others) == 0 {
		return false
	}
	if _, found := s.others[user]; found {
		return true
	}
	_, found := s.others[user+"@"+a.Host]
	return found
}

// unescaped is a user as it is meant (RFC 3261 §19.1.4): %34 is 4, and nobody gets off a list
// by writing so.
func unescaped(user string) string {
	if plain, err := url.PathUnescape(user); err == nil {
		return plain
	}
	return user
}

// telNumber is the number of a tel URI (RFC 3966), "" of any other.
func telNumber(uri string) string {
	if len(uri) < 4 || !strings.EqualFold(uri[:4], "tel:") {
		return ""
	}
	number, _, _ := strings.Cut(uri[4:], ";")
	return number
}

// digitKey gives a number as an integer that tells 030 from 30: a 1 goes before
// the digits. ok is false when s is no number of 1 to maxDigits digits.
func digitKey(s, separators string) (key uint64, length int, ok bool) {
	s, _, _ = strings.Cut(strings.TrimPrefix(s, "+"), ";") // user parameters: +49301234;phone-context=…
	key = 1
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= '0' && c <= '9':
			if length++; length > maxDigits {
				return 0, 0, false
			}
			key = key*10 + uint64(c-'0')
		case strings.IndexByte(separators, c) < 0:
			return 0, 0, false
		}
	}
	return key, length, length > 0
}

// cutKey is the key of the first n of a number's digits.
func cutKey(key uint64, length, n int) uint64 {
	for ; length > n; length-- {
		key /= 10
	}
	return key
}
