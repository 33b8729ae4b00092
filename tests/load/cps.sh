#!/usr/bin/env bash
# Recorded calls without audio, set up and ended at a given rate, against the built binary.
#
#   RTPLOAD=path/to/rtpload tests/load/cps.sh table          one line for each of RATES (50 100 200 300)
#   RTPLOAD=path/to/rtpload tests/load/cps.sh overload       the rate that is sustained, then three times that
#
# SECONDS_EACH (10) is how long calls are placed at each rate. The generator runs beside the proxy: rates are what both
# together reach. The overload lasts OVERLOAD_SECONDS (40), longer than anything is kept of a call that has ended or was
# refused. Meanwhile TALKERS (50) calls have audio, both ways and to an SRS of their own; they hang up before it ends. Demanded is: four fifths of the peak are answered; what is answered is recorded and ends; of the calls with
# audio no packet is lost; the proxy has at most MEMORY_MB (2048) of memory.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
each=${SECONDS_EACH:-10}
out=$(mktemp) talk=$(mktemp) peak_kb=$(mktemp)
trap 'rm -f "$out" "$talk" "$peak_kb"' EXIT

# value KEY: the first number under that key of the last report.
value() { grep -o "\"$1\": [0-9.]*" "$out" | head -n 1 | grep -o '[0-9.]*$' || echo 0; }

# run RATE: calls of HOLD (2s) at that rate; the report goes to $out. A call that fails is a result, not an end.
run() { PEAK_KB="$peak_kb" "$here/rtpload.sh" -mode cps -cps "$1" -hold "${HOLD:-2s}" -duration "${each}s" > "$out" 2>/dev/null || true; }

# lost: how many packets of the calls with audio did not arrive: at the callee, the caller, and of each at the SRS.
lost() { grep -o '"lost": -\?[0-9]*' "$talk" | grep -o '[-0-9]*$' | tr '\n' ' '; }

# demand WHAT CONDITION...: complains where a condition of test(1) does not hold.
demand() {
	local what=$1
	shift
	[ "$@" ] || { echo "overload: $what" >&2; failed=1; }
}

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
	each=${OVERLOAD_SECONDS:-40}
	export TALKERS=${TALKERS:-50} TALK=$((each - 2))s TALK_REPORT=$talk
	line $((3 * sustained))
	answered=$(value answered) ended=$(value ended_ok) recorded=$(value recorded) failed=
	mb=$(($(cat "$peak_kb") / 1024))
	share=$((100 * answered / each / peak))
	echo "sustained $sustained calls/s, peak $peak; at three times that $((answered / each))/s were answered, $share % of the peak; $mb MB at most"
	out=$talk
	read -r callee caller copy1 copy2 <<<"$(lost)" || true
	echo "$TALKERS calls with audio: of $(value sent) packets of the callers $callee were lost, of the callees' $caller, of the copies $copy1 and $copy2; $(value ended_ok) ended"
	demand "less than 80 % of the peak" "$share" -ge 80
	demand "answered calls did not end properly" $((100 * ended)) -ge $((99 * answered))
	demand "answered calls were not recorded" $((100 * recorded)) -ge $((99 * answered))
	demand "running calls lost audio" "$callee,$caller" = 0,0
	demand "their copies lost audio" "$copy1,$copy2" = 0,0
	demand "calls with audio did not end properly" "$(value ended_ok)" -eq "$TALKERS"
	demand "more than ${MEMORY_MB:-2048} MB of memory" "$mb" -le "${MEMORY_MB:-2048}"
	[ -z "$failed" ]
	;;
*)
	echo "cps.sh: table or overload" >&2
	exit 2
	;;
esac
