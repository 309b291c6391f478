# shellcheck shell=bash
# Private PostgreSQL and Redis: own data folder, own free ports on 127.0.0.1 only, nothing of the system's is touched.

START_ATTEMPTS=5

# Everything that `cargo test` needs: tools, servers, and their addresses in the environment.
start_test_environment() {
  local tools=(nginx upstream k6)
  if [[ -z ${TEST_DATABASE_URL:-} ]]; then tools+=(postgres); elif find_postgres; then export TEST_PG_BIN; fi
  if [[ -z ${TEST_REDIS_URL:-} ]]; then tools+=(redis); elif find_redis; then export TEST_REDIS_SERVER; fi
  provide_tools "${tools[@]}"
  [[ -n ${TEST_DATABASE_URL:-} ]] || start_postgres
  [[ -n ${TEST_REDIS_URL:-} ]] || start_redis
}

print_exports() {
  local name
  for name in TEST_DATABASE_URL TEST_REDIS_URL TEST_PG_BIN TEST_REDIS_SERVER TEST_NGINX TEST_UPSTREAM_CLI TEST_K6 TEST_CHROMIUM TEST_PLAYWRIGHT TEST_DEPLOY_BIN TEST_DEPLOY_NODE; do
    [[ -z ${!name:-} ]] || printf 'export %s=%q\n' "$name" "${!name}"
  done
}

# PostgreSQL refuses to run as root.
postgres_user() {
  if id postgres >/dev/null 2>&1; then printf postgres; else printf nobody; fi
}

start_postgres() {
  make_private_dir
  local folder=$PRIVATE_DIR/postgres drop=()
  install -d -m 700 "$folder"
  if ((EUID == 0)); then
    local user
    user=$(postgres_user)
    drop=("--reuid=$user" "--regid=$(id -g "$user")" --clear-groups)
    chown "$user" "$folder"
    setpriv "${drop[@]}" test -x "$folder" ||
      die "the user '$user' cannot reach $folder; set TMPDIR to a folder that every user may enter, such as /tmp"
  fi
  # --no-sync and the two settings below give up surviving a crash of the machine: tests kill Onya, never the machine.
  setpriv "${drop[@]}" env --chdir="$folder" LC_ALL=C "$TEST_PG_BIN/initdb" --pgdata="$folder/data" --username=onya --auth=trust \
    --encoding=UTF8 --no-locale --no-sync --no-instructions >"$PRIVATE_DIR/initdb.log" 2>&1 ||
    { show_log "$PRIVATE_DIR/initdb.log"; die "initdb failed"; }
  start_on_free_port postgres launch_postgres "$folder" "${drop[@]}"
  export TEST_DATABASE_URL=postgres://onya@127.0.0.1:$PORT/postgres
}

# launch_postgres FOLDER [SETPRIV_OPTION…]; synchronous_commit stays on: an acknowledged write must be visible to a new process.
launch_postgres() {
  local folder=$1
  shift
  start_server postgres INT "$PRIVATE_DIR/postgres.log" "$@" "$TEST_PG_BIN/postgres" -D "$folder/data" -p "$PORT" \
    -c listen_addresses=127.0.0.1 -c "unix_socket_directories=$folder" -c max_connections=200 \
    -c fsync=off -c full_page_writes=off -c synchronous_commit=on -c logging_collector=off
  wait_until_ready postgres 30 "$TEST_PG_BIN/pg_isready" --quiet --host=127.0.0.1 "--port=$PORT" --username=onya --dbname=postgres
}

start_redis() {
  make_private_dir
  install -d -m 700 "$PRIVATE_DIR/redis"
  start_on_free_port redis launch_redis
  export TEST_REDIS_URL=redis://127.0.0.1:$PORT
}

launch_redis() {
  start_server redis TERM "$PRIVATE_DIR/redis.log" "$TEST_REDIS_SERVER" --bind 127.0.0.1 --port "$PORT" \
    --dir "$PRIVATE_DIR/redis" --save '' --appendonly no --daemonize no
  wait_until_ready redis 15 redis_answers
}

# redis-cli ends with 0 also for an error reply, so the reply is read.
redis_answers() { [[ $(redis-cli -h 127.0.0.1 -p "$PORT" ping) == PONG ]]; }

# start_on_free_port NAME LAUNCH…: a port may be taken between finding and using it, so a server that ends at once
# is started again on another one. Sets PORT.
start_on_free_port() {
  local name=$1 attempt
  shift
  for ((attempt = 1; attempt <= START_ATTEMPTS; attempt++)); do
    PORT=$(free_ports 1)
    ! "$@" || return 0
    stop_server "$name"
    grep -qi 'in use' "$PRIVATE_DIR/$name.log" || break
  done
  show_log "$PRIVATE_DIR/$name.log"
  die "$name did not become ready"
}
