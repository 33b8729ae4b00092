#!/usr/bin/env bash
# Recorded calls without audio, set up and ended at a given rate, against the built binary.
#
#   RTPLOAD=path/to/rtpload tests/load/cps.sh table          one line for each of RATES (50 100 200 300)
#   RTPLOAD=path/to/rtpload tests/load/cps.sh overload       the rate that is sustained, then three times that
#
# SECONDS_EACH (10) is how long calls are placed at each rate. The generator runs beside the proxy: rates are what both
# together reach.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
each=${SECONDS_EACH:-10}
out=$(mktemp)
trap 'rm -f "$out"' EXIT

# value KEY: the first number under that key of the last report.
value() { grep -o "\"$1\": [0-9.]*" "$out" | head -n 1 | grep -o '[0-9.]*$' || echo 0; }

# run RATE: calls of 2 s at that rate; the report goes to $out. A call that fails is a result, not an end.
run() { "$here/rtpload.sh" -mode cps -cps "$1" -hold 2s -duration "${each}s" > "$out" 2>/dev/null || true; }

line() {
	run "$1"
	printf '%8s %9s %9s %9s %9s %10s %9s\n' "$1" "$(value placed)" "$(value answered)" "$(value ended_ok)" \
		"$(value recorded)" "$(value cpu_ms_per_call)" "$(value rss_kb_steady)"
}

printf '%8s %9s %9s %9s %9s %10s %9s\n' calls/s placed answered 'ended ok' recorded 'ms a call' 'RSS KB'
case ${1:-} in
table)
	for rate in ${RATES:-50 100 200 300}; do line "$rate"; done
	;;
overload)
	rate=${START:-200} sustained=0 peak=0
	while [ "$rate" -le "${LIMIT:-6400}" ]; do
		line "$rate"
		answered=$(($(value answered) / each))
		[ "$answered" -le "$peak" ] || peak=$answered
		[ "$(value answered)" -eq "$(value placed)" ] && [ "$(value ended_ok)" -eq "$(value placed)" ] || break
		sustained=$rate rate=$((rate * 3 / 2))
	done
	[ "$sustained" -gt 0 ] || { echo "overload: $rate calls/s are too many to begin with; set START" >&2; exit 1; }
	line $((3 * sustained))
	answered=$(($(value answered) / each)) ended=$(value ended_ok)
	echo "sustained $sustained calls/s, peak $peak; at three times that $answered/s were answered, $((100 * answered / peak)) % of the peak"
	[ $((100 * answered)) -ge $((80 * peak)) ] || { echo "overload: less than 80 %" >&2; exit 1; }
	[ $((100 * ended)) -ge $((99 * $(value answered))) ] || { echo "overload: answered calls did not end properly" >&2; exit 1; }
	;;
*)
	echo "cps.sh: table or overload" >&2
	exit 2
	;;
esac
