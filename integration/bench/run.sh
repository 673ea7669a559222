#!/bin/sh
# Measures Millrace beside its peers and prints the tables of docs/benchmarks.md.
#   sh integration/bench/run.sh CACHE [FLAGS]     or: make bench ARGS='-full'
set -eu
cache=${1:?usage: run.sh CACHE [FLAGS]}
shift
export CGO_ENABLED="${CGO_ENABLED:-0}" GOTOOLCHAIN=local
mkdir -p "$cache/bin"
go build -o "$cache/bin/bench" ./integration/bench
# ARGS is what make was given, as in make demo: words, not one word.
# shellcheck disable=SC2086
exec "$cache/bin/bench" -cache "$cache" "$@" ${ARGS:-}
