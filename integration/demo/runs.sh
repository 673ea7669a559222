#!/bin/sh
# Runs the demo as it is, at other paces, with little feedback and with wrong labels, and
# prints the table of docs/demo.md.
#   sh integration/demo/runs.sh OUT        the reports are left in OUT
set -eu
out=${1:?usage: runs.sh OUT}
export CGO_ENABLED="${CGO_ENABLED:-0}" GOTOOLCHAIN=local
mkdir -p "$out"
go build -o "$out/demo" ./integration/demo
run() {
	name=$1
	shift
	bin/millrace demo --exit --data "$out/data" --report "$out/$name.json" \
		--listen 127.0.0.1:0 --kafka-listen 127.0.0.1:0 --clickhouse-listen 127.0.0.1:0 "$@" >"$out/$name.txt"
	rm -rf "$out/data"
}
run as-it-is
run half-the-pace --pace 0.5
run double-the-pace --pace 2
run five-percent-of-the-feedback --feedback-share 0.05
run ten-percent-wrong-labels --wrong-share 0.1
exec "$out/demo" -table "$out/as-it-is.json" "$out/half-the-pace.json" "$out/double-the-pace.json" \
	"$out/five-percent-of-the-feedback.json" "$out/ten-percent-wrong-labels.json"
