//go:build linux

package main

import (
	"fmt"
	"strconv"
	"strings"
)

// bencode writes a dictionary of the pairs given; values are strings.
func bencode(pairs ...any) []byte {
	b := []byte{'d'}
	for _, p := range pairs {
		s := fmt.Sprint(p)
		b = append(strconv.AppendInt(b, int64(len(s)), 10), ':')
		b = append(b, s...)
	}
	return append(b, 'e')
}

// bdecode reads a dictionary.
func bdecode(s string) (map[string]any, error) {
	v, _, err := bvalue(s)
	if err != nil {
		return nil, err
	}
	d, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("no dictionary: %.60q", s)
	}
	return d, nil
}

// bvalue reads one value and gives what is left.
func bvalue(s string) (v any, rest string, err error) {
	switch {
	case s == "":
		return nil, "", fmt.Errorf("cut off")
	case s[0] == 'i':
		number, rest, ok := strings.Cut(s[1:], "e")
		if !ok {
			return nil, "", fmt.Errorf("a number without end")
		}
		n, err := strconv.Atoi(number)
		return n, rest, err
	case s[0] == 'l' || s[0] == 'd':
		var items []any
		for rest = s[1:]; !strings.HasPrefix(rest, "e"); {
			var item any
			if item, rest, err = bvalue(rest); err != nil {
				return nil, "", err
			}
			items = append(items, item)
		}
		if s[0] == 'l' {
			return items, rest[1:], nil
		}
		d := map[string]any{}
		for i := 0; i+1 < len(items); i += 2 {
			d[fmt.Sprint(items[i])] = items[i+1]
		}
		return d, rest[1:], nil
	}
	length, rest, ok := strings.Cut(s, ":")
	n, err := strconv.Atoi(length)
	if !ok || err != nil || n < 0 || n > len(rest) {
		return nil, "", fmt.Errorf("a string that is none: %.20q", s)
	}
	return rest[:n], rest[n:], nil
}
