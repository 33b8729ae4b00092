#!/usr/bin/env bash
# Runs an RTP load generator against the built binary and prints the generator's JSON.
#
#   RTPLOAD=path/to/rtpload tests/load/rtpload.sh [more rtpload arguments]
#
# The generator is caller, PBX and SRS in one; it exits 0 when no call failed, all were recorded
# and loss stayed under 0.1 %. CALLS (200), CPS (50), WINDOW (15s), HOST (127.0.0.1) and PORT (5060) may be set.
#
# With TALKERS a second generator has so many calls with audio up before, measures them for TALK (15s) from then on and
# hangs up; its JSON goes to TALK_REPORT. PEAK_KB names a file for the most memory that the proxy had, in KB.
set -euo pipefail

rtpload=${RTPLOAD:-}
[ -n "$rtpload" ] || { echo "load: set RTPLOAD to the rtpload binary" >&2; exit 2; }
[ -x "$rtpload" ] || { echo "load: RTPLOAD=$rtpload is not a program" >&2; exit 2; }
bin=${BIN:-./sidetrack}
[ -x "$bin" ] || { echo "load: no $bin: make build" >&2; exit 2; }

calls=${CALLS:-200} cps=${CPS:-50} window=${WINDOW:-15s}
host=${HOST:-127.0.0.1} port=${PORT:-5060} http=${HTTP_PORT:-8080}
uac=$host:5070 uas=$host:5080 srs=$host:5090
talkers=${TALKERS:-0}

work=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || { kill "$pid" 2>/dev/null || true; wait "$pid" 2>/dev/null || true; }; rm -rf "$work"' EXIT

# The generator's RTP sockets begin at 20000; ours stay clear of them.
cat > "$work/sidetrack.yaml" <<YAML
sip:
  listen: ["udp://$host:$port"]
  trusted: [127.0.0.0/8]
  drain: 1s
routes:
  - name: talk
    match: {from: '@talk\.test'}
    to: sip:$host:5081
  - to: sip:$uas
media:
  listen: $host
  ports: 30000-59999
recorders:
  load:
    srs: "sip:$srs;transport=udp"
  talk:
    srs: "sip:$host:5091;transport=udp"
recording:
  - match: {route: talk}
    recorder: talk
  - recorder: load
http:
  listen: $host:$http
log: {level: warn, format: text}
YAML

"$bin" serve --config "$work/sidetrack.yaml" 2> "$work/log" &
pid=$!
for _ in $(seq 100); do
	curl -fs "http://$host:$http/readyz" >/dev/null 2>&1 && break
	kill -0 "$pid" 2>/dev/null || { echo "load: sidetrack ended:" >&2; cat "$work/log" >&2; exit 1; }
	sleep 0.1
done

talk=
if [ "$talkers" -gt 0 ]; then
	"$rtpload" -proxy "$host:$port" -uac "$host:5071" -uas "$host:5081" -srs "$host:5091" -rtp-base 21000 -domain talk.test \
		-calls "$talkers" -cps 50 -settle 1s -window "${TALK:-15s}" > "${TALK_REPORT:-/dev/null}" 2>/dev/null &
	talk=$!
	for _ in $(seq 300); do
		curl -fs "http://$host:$http/metrics" | grep -q "^sidetrack_recordings_active{recorder=\"talk\"} $talkers\$" && break
		sleep 0.1
	done
fi

status=0
"$rtpload" -proxy "$host:$port" -uac "$uac" -uas "$uas" -srs "$srs" \
	-calls "$calls" -cps "$cps" -window "$window" -proc "sidetrack=$pid" "$@" || status=$?
[ -z "$talk" ] || wait "$talk" || status=$?
[ -z "${PEAK_KB:-}" ] || sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$pid/status" > "$PEAK_KB"
if [ -s "$work/log" ]; then
	echo "load: sidetrack said:" >&2
	tail -n 20 "$work/log" >&2
fi
exit "$status"
