#!/bin/sh
# Installs the foreign clients that the integration tests use: kcat into the system,
# Python's, Node's, Java's and an Apache Kafka into a cache folder: CACHE/venv, CACHE/node,
# CACHE/jdbc and CACHE/kafka. What is there is kept; a folder counts only where it was made from the list
# that is here now.
set -eu
cache=${1:?usage: setup.sh CACHE}
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)

need() { # PROGRAM WHAT
  command -v "$1" >/dev/null || { echo "$1 is missing: the integration tests need $2" >&2; exit 1; }
}
need curl "curl"
need java "Java 17 or later"
need mvn "Maven 3.8 or later"
need npm "Node.js 20 or later"
need python3 "Python 3.10 or later, with venv"

if ! command -v kcat >/dev/null; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing kcat"
    # Without an update, a fresh machine's package lists may be empty or old.
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq kcat; } >/dev/null
  else
    echo "kcat is missing: install the package kcat (apt-get install kcat, brew install kcat)" >&2
    exit 1
  fi
fi

# made FOLDER LIST: whether the folder was made from the list as it is.
made() { cmp -s "$1/.made-from" "$2"; }

if ! made "$cache/venv" "$here/requirements.txt"; then
  echo "installing Python's clients"
  rm -rf "$cache/venv"
  python3 -m venv "$cache/venv"
  "$cache/venv/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: --requirement "$here/requirements.txt"
  cp "$here/requirements.txt" "$cache/venv/.made-from"
fi

if ! made "$cache/node" "$here/node/package-lock.json"; then
  echo "installing Node's clients"
  rm -rf "$cache/node"
  mkdir -p "$cache/node"
  cp "$here/node/package.json" "$here/node/package-lock.json" "$cache/node/"
  (cd "$cache/node" && npm ci --silent --no-audit --no-fund)
  cp "$here/node/package-lock.json" "$cache/node/.made-from"
fi

# jars FOLDER: what the pom in FOLDER names, and what that needs.
jars() {
  made "$cache/$1" "$here/$1/pom.xml" && return
  rm -rf "${cache:?}/$1"
  mvn --quiet --batch-mode -Dstyle.color=never --file "$here/$1/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$cache/$1"
  cp "$here/$1/pom.xml" "$cache/$1/.made-from"
}
echo "Java's client and Apache Kafka, where they are not there yet"
jars jdbc
jars kafka
