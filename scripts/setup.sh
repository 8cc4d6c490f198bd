#!/usr/bin/env bash
# Makes the virtual environment given as the first argument. PYTHON names an interpreter, where the first suitable one will not do.
set -euo pipefail

venv=${1:-.venv}
suitable='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))'

find_python() {
  local candidate
  for candidate in ${PYTHON:-python3 python3.11 python3.12 python3.13 python3.14 python}; do
    if "$candidate" -c "$suitable" 2>/dev/null; then
      printf '%s\n' "$candidate"
      return
    fi
  done
  printf '%s\n' "${PYTHON:+$PYTHON is no Python 3.11 to 3.14. }Pulse needs Python 3.11 or newer: install one, or name it as in 'make setup PYTHON=/path/to/python3.12'." >&2
  return 1
}

# An environment whose interpreter has gone or is too old, or that has no pip, is made again.
if ! "$venv/bin/python" -c "import pip; $suitable" 2>/dev/null; then
  python=$(find_python)
  printf 'setup: %s with %s\n' "$venv" "$("$python" --version)"
  if ! "$python" -m venv --clear "$venv" >"${TMPDIR:-/tmp}/pulse-venv.$$" 2>&1; then
    cat "${TMPDIR:-/tmp}/pulse-venv.$$" >&2
    printf '%s\n' "$python cannot make virtual environments: install its venv package (on Debian: apt-get install python3-venv)." >&2
    exit 1
  fi
  rm -f "${TMPDIR:-/tmp}/pulse-venv.$$"
fi

python=$venv/bin/python
"$python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
"$venv/bin/uv" pip sync --quiet --python "$python" --require-hashes --compile-bytecode requirements/dev.txt requirements/uv.txt
"$venv/bin/uv" pip install --quiet --python "$python" --no-deps -e .
printf 'setup: %s is ready\n' "$venv"
