package peer

import (
	"strconv"
	"strings"
)

// MetricSum is the sum, in a page of metrics (Prometheus' text format), over every series of that name whose labels hold
// each of the given ones, such as `code="408"`.
func MetricSum(page []byte, name string, labels ...string) (total float64) {
line:
	for line := range strings.SplitSeq(string(page), "\n") {
		series, value, _ := strings.Cut(line, " ")
		if series != name && !strings.HasPrefix(series, name+"{") {
			continue
		}
		for _, label := range labels {
			if !strings.Contains(series, label) {
				continue line
			}
		}
		v, _ := strconv.ParseFloat(value, 64)
		total += v
	}
	return total
}
