#!/bin/sh
# All tests: many at once where that is safe; then single pages in browsers, beside them one after the other what kills
# and counts whole programs; then whole classes in browsers, one at a time; then the pages' own.
#
# They use real programs. On Debian as root the missing ones are installed; elsewhere what needs them is skipped and
# named. With CI set nothing may be missing. All parts run even when an earlier one fails.
set -u
cd "$(dirname "$0")/.." || exit 1
. tools/node_path.sh

has_postgresql() { command -v initdb >/dev/null 2>&1 || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; }
has_redis() { command -v redis-server >/dev/null 2>&1 || command -v valkey-server >/dev/null 2>&1; }
has_chromium() { command -v chromium >/dev/null 2>&1 || command -v chromium-browser >/dev/null 2>&1 || command -v google-chrome >/dev/null 2>&1; }
has_coturn() { command -v turnserver >/dev/null 2>&1; }

missing_packages() {
    has_postgresql || printf ' postgresql'
    has_redis || printf ' redis-server'
    has_chromium || printf ' chromium'
    has_coturn || printf ' coturn'
}

missing=$(missing_packages)
if [ -n "$missing" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing for the tests:$missing ..."
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086 # a list of words
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends $missing; } >/dev/null 2>&1
    missing=$(missing_packages)
fi
if [ -n "$missing" ]; then
    echo "Missing programs:$missing. Tests that need them are skipped; install them to run everything." >&2
    [ -z "${CI:-}" ] || exit 1
fi

failed=
part() {
    name=$1
    shift
    echo "== $name"
    "$@" || failed="$failed, $name"
}

# A browser beside others may run out of patience on a busy machine: what failed runs once more, alone, and is named.
# What fails alone fails. Each part remembers its own failures.
run() {
    name=$1
    shift
    echo "== $name"
    .venv/bin/python -m pytest -q -o "cache_dir=.pytest_cache/$name" "$@"
    status=$?
    [ "$status" = 5 ] || return "$status" # 5: none of the chosen tests is in this part
}
again() {
    name=$1
    shift
    run "$name" "$@" -n 0 --last-failed --last-failed-no-failures none || failed="$failed, $name"
}

many=${LECTERN_TEST_PROCESSES:-2}
pages="browser and not (journey or serial or prove)"
programs="serial and not (journey or prove)"
classes="journey and not prove"

run "side by side" -n "$many" -m "not browser and not serial and not prove" "$@" ||
    again "side by side" -m "not browser and not serial and not prove" "$@"
# Single pages wait much and the program's proofs wait more: they share the machine.
said=$(mktemp)
trap 'rm -f "$said"' EXIT
run "programs" -m "$programs" "$@" >"$said" 2>&1 &
beside=$!
run "pages in browsers" -n "$many" -m "$pages" "$@"
in_browsers=$?
wait "$beside"
in_programs=$?
cat "$said"
[ "$in_browsers" = 0 ] || again "pages in browsers" -m "$pages" "$@"
[ "$in_programs" = 0 ] || again "programs" -m "$programs" "$@"
run "whole classes" -m "$classes" "$@" || again "whole classes" -m "$classes" "$@"
part "pages" node --test tests/static/*.test.mjs
[ -z "$failed" ] || { echo "Failed: ${failed#, }" >&2; exit 1; }
