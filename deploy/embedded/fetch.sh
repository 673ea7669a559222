#!/bin/sh
# Fetches what packages.txt lists into a cache folder: CACHE/FOLDER. What is there is
# kept; a tarball counts only with its checksum.
set -eu
cache=${1:?usage: fetch.sh CACHE}
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)

platform="$(uname -s | tr '[:upper:]' '[:lower:]')-$(uname -m)"
if [ "$platform" = linux-x86_64 ]; then
  if ldd --version 2>&1 | grep -qiE 'glibc|gnu libc'; then platform=$platform-glibc; else platform=$platform-other; fi
fi

grep -v '^#' "$here/packages.txt" | while read -r name version sum inside on folder; do
  [ -e "$cache/$folder/$inside" ] && continue
  if [ "$on" != any ] && [ "$on" != "$platform" ]; then
    echo "There is no embedded ClickHouse for $platform: set clickhouse.dsn to a server of yours."
    continue
  fi
  command -v npm >/dev/null || { echo "npm is missing: install Node.js 20 or later" >&2; exit 1; }
  work=$(mktemp -d "$cache/.fetch.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  echo "fetching $name@$version"
  (cd "$work" && npm pack --silent "$name@$version" >/dev/null)
  set -- "$work"/*.tgz
  if command -v sha256sum >/dev/null; then got=$(sha256sum "$1"); else got=$(shasum -a 256 "$1"); fi
  got=${got%% *}
  if [ "$got" != "$sum" ]; then
    echo "$name@$version has checksum $got, want $sum: it is not what Millrace was built with; try again, or check your registry" >&2
    exit 1
  fi
  mkdir "$work/out"
  tar -xzf "$1" -C "$work/out" --strip-components=1
  [ -e "$work/out/$inside" ] || { echo "$name@$version holds no $inside" >&2; exit 1; }
  rm -rf "${cache:?}/$folder"
  mv "$work/out" "$cache/$folder"
  rm -rf "$work"
  trap - EXIT
done
