#!/usr/bin/env bash
# Sees to the servers the tests talk to, as far as this machine allows: what answers is used as it is; what does not is installed and
# started where we are root on Debian; what cannot be had is named, with the tests that will be skipped for it. Never fails.
#
#   PostgreSQL  127.0.0.1:5432, database "test", the user "postgres" without a password
#   Redis       127.0.0.1:6379
#   NATS        127.0.0.1:4222, with JetStream
#   Chromium    /usr/bin/chromium
set -uo pipefail

log=${TMPDIR:-/tmp}/pulse-services.log
state=/var/lib/pulse-test-services
: >"$log"

say() { printf 'services: %s\n' "$*"; }

answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# PORT: wait up to 20 seconds for it
comes_up() {
  for _ in {1..100}; do
    answers "$1" && return
    sleep 0.2
  done
  return 1
}

may_install() { [[ $EUID -eq 0 && -f /etc/debian_version ]] && command -v apt-get >/dev/null; }

updated=
install() {
  command -v "$1" >/dev/null && return # the program is there, its package need not be
  shift
  say "installing $*"
  export DEBIAN_FRONTEND=noninteractive
  if [[ -z $updated ]]; then
    timeout 180 apt-get update >>"$log" 2>&1
    updated=yes
  fi
  timeout 600 apt-get install --yes --no-install-recommends "$@" >>"$log" 2>&1
}

# The cluster that owns the port is started as it is; where there is none, one of our own is made: nobody's configuration is touched.
start_postgresql() {
  install_postgresql || return
  local cluster
  cluster=$(pg_lsclusters --no-header | awk '$3 == 5432 { print $1, $2; exit }')
  if [[ -z $cluster ]]; then
    cluster="$(find /usr/lib/postgresql -mindepth 1 -maxdepth 1 -printf '%f\n' | sort -n | tail -n 1) pulse"
    # shellcheck disable=SC2086 # two words: version and name
    pg_createcluster --port 5432 $cluster -- --auth=trust >>"$log" 2>&1 || return
  fi
  # shellcheck disable=SC2086
  pg_ctlcluster --skip-systemctl-redirect $cluster start >>"$log" 2>&1
  comes_up 5432 && psql -h 127.0.0.1 -U postgres -c 'CREATE DATABASE test' >>"$log" 2>&1
  answers 5432
}

install_postgresql() {
  compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null && return
  install pg_createcluster postgresql-common || return
  # Left alone, Debian would make a cluster called main on our port, with rules of its own.
  sed -i 's/^#\?create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf
  install initdb postgresql
}

start_redis() {
  install redis-server redis-server || return
  answers 6379 || redis-server --daemonize yes --bind 127.0.0.1 --port 6379 --save '' --appendonly no --dir "$state" >>"$log" 2>&1
}

start_nats() {
  install nats-server nats-server || return
  answers 4222 || setsid nats-server -a 127.0.0.1 -p 4222 -js -sd "$state/nats" >>"$log" 2>&1 </dev/null &
}

# NAME PORT STARTER TESTS
server() {
  local name=$1 port=$2 starter=$3 tests=$4
  if answers "$port"; then
    say "$name answers on port $port"
  elif ! may_install; then
    say "$name does not answer on 127.0.0.1:$port, and only root on Debian can have it installed here: $tests are skipped"
  elif mkdir -p "$state" && "$starter" && comes_up "$port"; then
    say "$name was started on port $port"
  else
    say "$name could not be started on 127.0.0.1:$port (see $log): $tests are skipped"
  fi
}

server PostgreSQL 5432 start_postgresql 'tests of the PostgreSQL dialect'
server Redis 6379 start_redis 'tests of the Redis bus'
server NATS 4222 start_nats 'tests of the NATS stream'

if [[ -x /usr/bin/chromium ]]; then
  say 'Chromium is here'
elif ! may_install; then
  say '/usr/bin/chromium is missing, and only root on Debian can have it installed here: tests of the console in a browser are skipped'
elif install chromium chromium && [[ -x /usr/bin/chromium ]]; then
  say 'Chromium was installed'
else
  say "Chromium could not be installed (see $log): tests of the console in a browser are skipped"
fi
