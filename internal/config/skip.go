package config

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// codes reads a pattern over final response codes. As in OpenSIPS it is not
// anchored and case does not count, so that patterns can be taken over as they
// are. What is written without thinking of that is warned of; all says what a
// pattern for every code would mean.
func (c cursor) codes(all string) *regexp.Regexp {
	if c.n.kind == scalar && c.n.text == "" && !c.n.null() { // as a pattern it would match everything
		return nil
	}
	re := c.regex("(?i)")
	if re == nil {
		return nil
	}
	var matched, inside []string
	atStart := false
	for code := 300; code <= 699; code++ {
		s := strconv.Itoa(code)
		loc := re.FindStringIndex(s)
		if loc == nil {
			continue
		}
		matched = append(matched, s)
		if loc[0] == 0 {
			atStart = true
		} else {
			inside = append(inside, s)
		}
	}
	switch {
	case len(matched) == 0:
		c.warnf("%s matches no final code from 300 to 699, so it has no effect", c.show())
	case len(matched) == 400:
		c.warnf("%s matches every final code: %s; write the codes, such as 408|487", c.show(), all)
	case atStart && len(inside) > 0:
		c.warnf("%s is not anchored, so it also matches %s; write ^ before it if that is not meant", c.show(), few(inside))
	}
	return re
}

// few lists the first codes and counts the rest.
func few(codes []string) string {
	const most = 6
	if len(codes) <= most {
		return strings.Join(codes, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(codes[:most], ", "), len(codes)-most)
}
