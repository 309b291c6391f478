# shellcheck shell=bash
# Starts the built binary for the k6 stage: embedded defaults, a private data folder, free ports.

# Prints NAME=VALUE lines: how Onya is told where to listen and to store; tests/browser/server.mjs does the same.
onya_environment() {
  printf '%s\n' "PORT=$1" "ONYA_METRICS__PORT=$2" "ONYA_NODE__DATA_DIR=$PRIVATE_DIR/onya-data"
}

start_onya() {
  local ports settings
  make_private_dir
  read -r -a ports <<<"$(free_ports 2)"
  mapfile -t settings < <(onya_environment "${ports[@]}")
  # Nothing of the developer's environment: an exported DATABASE_URL must not become the target of a smoke test.
  start_server onya TERM "$PRIVATE_DIR/onya.log" env -i --chdir="$PRIVATE_DIR" PATH="$PATH" "${settings[@]}" "$TARGET_DIR/debug/onya" serve
  wait_until_ready onya 30 http_ok "http://127.0.0.1:${ports[0]}/health/ready" ||
    { show_log "$PRIVATE_DIR/onya.log"; say "onya serve did not become ready"; return 1; }
  ONYA_URL=http://127.0.0.1:${ports[0]}
}

http_ok() {
  python3 -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=2)' "$1"
}
