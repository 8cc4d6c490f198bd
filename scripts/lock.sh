#!/usr/bin/env bash
# Pins what pyproject.toml asks for, with hashes, for every platform and Python it supports, into requirements/*.txt.
# Arguments go to `uv pip compile` (--upgrade, --upgrade-package NAME). Without any, pins that still fit stay as they are.
set -euo pipefail

uv=${UV:-uv}
# A release that turns out to be malicious is as a rule withdrawn within days.
newest=$(date -u -d '7 days ago' +%Y-%m-%dT%H:%M:%SZ 2>/dev/null || date -u -v-7d +%Y-%m-%dT%H:%M:%SZ)

# SOURCE OUTPUT [option...]
pin() {
  local source=$1 output=requirements/$2
  shift 2
  "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --exclude-newer "$newest" \
    --output-file "$output" "$@" "$source"
}

pin pyproject.toml base.txt "$@"
pin pyproject.toml all.txt --all-extras "$@"
pin pyproject.toml dev.txt --all-extras --group dev "$@"
printf 'uv\n' | pin - uv.txt --no-annotate "$@"

# What is committed says what to install, never from where: that is the machine's affair.
if grep -nE 'https?://|file:|(^|[[:space:]=(])/[A-Za-z]' requirements/*.txt || grep -nF -e "$PWD" -e "$HOME/" requirements/*.txt; then
  printf '%s\n' 'lock: the lines above name an address or a path of this machine; requirements/ must not be committed like this.' >&2
  exit 1
fi
wc -l requirements/*.txt
