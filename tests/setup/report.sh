# shellcheck shell=bash
# What is printed: progress lines, the closing table, and a last line in the form that `cargo test` ends with.
# Everything but the exports goes to standard error, so that `./tests/run env` can be read by a program.

say() { printf 'tests/run: %s\n' "$*" >&2; }

# die MESSAGE [STATUS]
die() {
  printf 'tests/run: error: %s\n' "$1" >&2
  exit "${2:-1}"
}

# Prints a server's log so that a failed start explains itself in CI.
show_log() {
  printf -- '--- last lines of %s\n' "$1" >&2
  tail -n 40 "$1" >&2 || true
  printf -- '---\n' >&2
}

now_ms() { date +%s%3N; }

seconds() { printf '%d.%02d' $(($1 / 1000)) $((($1 % 1000) / 10)); }

REPORT_ROWS=()
PASSED_STAGES=0
FAILED_STAGES=0

# report_stage NAME RESULT DURATION_MS BUDGET_SECONDS
report_stage() {
  local remark=
  (($3 <= $4 * 1000)) || remark="over budget"
  case $2 in
    ok) [[ $1 == setup ]] || PASSED_STAGES=$((PASSED_STAGES + 1)) ;;
    FAILED) FAILED_STAGES=$((FAILED_STAGES + 1)) ;;
  esac
  REPORT_ROWS+=("$(printf '%-8s %-8s %9s s %7s s  %s' "$1" "$2" "$(seconds "$3")" "$4" "$remark")")
}

# report_skipped NAME: a stage that was asked for and not reached.
report_skipped() { REPORT_ROWS+=("$(printf '%-8s %-8s' "$1" "not run")"); }

# print_report DURATION_MS
print_report() {
  local result=ok
  ((FAILED_STAGES == 0)) || result=FAILED
  printf '\n%-8s %-8s %11s %9s\n' stage result took budget
  printf '%s\n' "${REPORT_ROWS[@]}"
  printf '%-8s %-8s %9s s %7s s\n' total "$result" "$(seconds "$1")" "$TOTAL_BUDGET_SECONDS"
  printf '\nstages: %d passed; %d failed\n' "$PASSED_STAGES" "$FAILED_STAGES"
  if [[ -n ${TESTS_RAN:-} ]]; then
    printf 'test result: %s. %s finished in %ss\n' "$result" "$TESTS_RAN" "$(seconds "$1")"
  fi
}
