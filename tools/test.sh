#!/bin/sh
# All tests: many at once where that is safe, single pages in browsers too; then whole classes and what measures time, one
# at a time; then the pages' own.
#
# They use real programs. On Debian as root the missing ones are installed; elsewhere what needs them is skipped and
# named. With CI set nothing may be missing. All parts run even when an earlier one fails.
set -u
cd "$(dirname "$0")/.." || exit 1
. tools/node_path.sh

has_postgresql() { command -v initdb >/dev/null 2>&1 || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; }
has_redis() { command -v redis-server >/dev/null 2>&1 || command -v valkey-server >/dev/null 2>&1; }
has_chromium() { command -v chromium >/dev/null 2>&1 || command -v chromium-browser >/dev/null 2>&1 || command -v google-chrome >/dev/null 2>&1; }

missing_packages() {
    has_postgresql || printf ' postgresql'
    has_redis || printf ' redis-server'
    has_chromium || printf ' chromium'
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
# What fails alone fails.
tests() {
    name=$1
    shift
    echo "== $name"
    .venv/bin/python -m pytest -q "$@" && return
    echo "== $name: what failed, once more and alone"
    .venv/bin/python -m pytest -q "$@" -n 0 --last-failed --last-failed-no-failures none || failed="$failed, $name"
}

tests "side by side" -n "${LECTERN_TEST_PROCESSES:-2}" -m "not browser and not serial and not prove" "$@"
tests "browsers" -n "${LECTERN_TEST_PROCESSES:-2}" -m "browser and not (journey or serial or prove)" "$@"
tests "one at a time" -m "(journey or serial) and not prove" "$@"
part "pages" node --test tests/static/*.test.mjs
[ -z "$failed" ] || { echo "Failed: ${failed#, }" >&2; exit 1; }
