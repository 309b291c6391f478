# shellcheck shell=bash
# Every process that a run starts is ended by its own pid, and the private folder goes last, however the run ends:
# success, failure, Ctrl-C, SIGTERM. Processes are leaders of their own groups, so that Ctrl-C reaches this script
# first and the order of ending stays ours. Not covered: kill -9 of this script leaves its folder behind.

PRIVATE_DIR=
GROUP_PID=
SERVER_NAMES=()
declare -A SERVER_PID=() SERVER_STOP_SIGNAL=()

stop_everything_on_exit() {
  trap 'stop_everything' EXIT
  trap 'exit 129' HUP
  trap 'say "interrupted: ending what was started"; exit 130' INT
  trap 'say "told to stop: ending what was started"; exit 143' TERM
}

stop_everything() {
  local status=$? index
  trap '' HUP INT TERM
  end_group "$GROUP_PID"
  for ((index = ${#SERVER_NAMES[@]} - 1; index >= 0; index--)); do
    stop_server "${SERVER_NAMES[index]}"
  done
  [[ -z $PRIVATE_DIR ]] || rm -rf -- "$PRIVATE_DIR"
  exit "$status"
}

# Traversable, not readable, by the unprivileged user that PostgreSQL runs as.
make_private_dir() {
  [[ -z $PRIVATE_DIR ]] || return 0
  PRIVATE_DIR=$(mktemp -d "${TMPDIR:-/tmp}/onya-test.XXXXXX")
  chmod 711 "$PRIVATE_DIR"
}

# run_in_group COMMAND…: in a group of its own, waited for so that a signal to this script is handled at once.
run_in_group() {
  local status=0
  set -m
  "$@" </dev/null &
  GROUP_PID=$!
  set +m
  wait "$GROUP_PID" || status=$?
  GROUP_PID=
  return "$status"
}

# start_server NAME STOP_SIGNAL LOG [SETPRIV_OPTION…] COMMAND…
start_server() {
  local name=$1 stop_signal=$2 log=$3
  shift 3
  set -m
  # The kernel ends the server too if this script is killed before it can.
  setpriv --pdeathsig "$stop_signal" "$@" </dev/null >"$log" 2>&1 &
  SERVER_PID[$name]=$!
  set +m
  SERVER_STOP_SIGNAL[$name]=$stop_signal
  [[ " ${SERVER_NAMES[*]-} " == *" $name "* ]] || SERVER_NAMES+=("$name")
}

stop_server() {
  local pid=${SERVER_PID[$1]:-}
  [[ -n $pid ]] || return 0
  kill -s "${SERVER_STOP_SIGNAL[$1]}" "$pid" 2>/dev/null || true
  if ! wait_until 15 has_ended "$pid"; then
    say "$1 (pid $pid) did not stop within 15 s and is killed"
    kill -s KILL -- "-$pid" 2>/dev/null || true
  fi
  wait "$pid" 2>/dev/null || true
  SERVER_PID[$1]=
}

end_group() {
  [[ -n $1 ]] || return 0
  kill -s TERM -- "-$1" 2>/dev/null || return 0
  wait_until 10 group_has_ended "$1" || kill -s KILL -- "-$1" 2>/dev/null || true
  wait "$1" 2>/dev/null || true
}

# A child that has ended stays a zombie until it is waited for; `kill -0` would still find it.
has_ended() {
  local fields
  { read -r fields <"/proc/$1/stat"; } 2>/dev/null || return 0
  [[ ${fields##*) } == Z* ]]
}

group_has_ended() {
  local stat fields state group
  for stat in /proc/[0-9]*/stat; do
    { read -r fields <"$stat"; } 2>/dev/null || continue
    read -r state _ group _ <<<"${fields##*) }"
    [[ $group != "$1" || $state == Z ]] || return 1
  done
}

# wait_until SECONDS COMMAND…: asks again every 50 ms until the command succeeds.
wait_until() {
  local deadline=$(($(now_ms) + $1 * 1000))
  shift
  until "$@"; do
    (($(now_ms) < deadline)) || return 1
    sleep 0.05
  done
}

# wait_until_ready NAME SECONDS COMMAND…: fails early, with status 2, if the server ends first.
wait_until_ready() {
  local name=$1 deadline=$(($(now_ms) + $2 * 1000))
  shift 2
  until "$@" >/dev/null 2>&1; do
    ! has_ended "${SERVER_PID[$name]}" || return 2
    (($(now_ms) < deadline)) || return 1
    sleep 0.05
  done
}

# Prints COUNT distinct ports of 127.0.0.1 that were free a moment ago.
free_ports() {
  python3 - "$1" <<'PYTHON'
import socket
import sys

sockets = [socket.socket() for _ in range(int(sys.argv[1]))]
for each in sockets:
    each.bind(("127.0.0.1", 0))
print(*(each.getsockname()[1] for each in sockets))
PYTHON
}
