#!/bin/sh
# All tests, in two lanes: many at once and then single pages in browsers; beside them, one after the other, what mostly
# waits: what kills and counts whole programs, and then whole classes in browsers. Last the pages' own.
#
# What tests write (databases, uploads, browsers' profiles) lies in memory where there is room for it: nothing they prove
# depends on a disk, and copying the template of a database costs a fifth of what it does on one. TMPDIR says otherwise.
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

# A folder of this run in /dev/shm, if that has two gigabytes to spare and programs may be run from it; those that killed
# runs left go. Servers that refuse to be root's must be able to enter it.
in_memory() {
    for left in /dev/shm/lectern-tests-*; do
        [ -d "$left" ] && ! kill -0 "${left##*-}" 2>/dev/null && rm -rf "$left" 2>/dev/null
    done
    [ "$(df -Pk /dev/shm 2>/dev/null | awk 'NR == 2 { print $4 }')" -ge 2097152 ] 2>/dev/null || return 1
    here=/dev/shm/lectern-tests-$$
    mkdir -m 711 "$here" 2>/dev/null || return 1
    printf '#!/bin/sh\n' >"$here/try" && chmod 700 "$here/try" && "$here/try" 2>/dev/null && rm "$here/try" && return 0
    rm -rf "$here"
    return 1
}

said=
here=
share=
beside=
clean_up() {
    [ -z "$beside" ] || kill "$beside" 2>/dev/null # a shell's Ctrl-C does not reach what it runs beside
    [ -z "$said" ] || rm -f "$said" "$said.programs" "$said.classes"
    [ -z "$share" ] || rm -rf "$share"
    [ -z "$here" ] || rm -rf "$here"
}
trap clean_up EXIT
trap 'exit 130' INT TERM
if [ -z "${TMPDIR:-}" ] && in_memory; then
    export TMPDIR="$here"
fi
# What several parts and processes need and one of them makes: a demo with its lessons (tests/journeys/conftest.py).
share=$(mktemp -d)
export LECTERN_TESTS_SHARE="$share"

failed=
part() {
    name=$1
    shift
    echo "== $name"
    "$@" || failed="$failed, $name"
}

# A browser beside others may run out of patience on a busy machine: what failed runs once more, alone, and is named.
# What fails alone fails. Each part remembers its own failures.
start() {
    name=$1
    shift
    echo "== $name"
    exec .venv/bin/python -m pytest -q -o "cache_dir=.pytest_cache/$name" "$@"
}
again() {
    name=$1
    shift
    (start "$name" "$@" -n 0 --last-failed --last-failed-no-failures none) || failed="$failed, $name"
}

many=${LECTERN_TEST_PROCESSES:-2}
quick="not browser and not serial and not prove"
pages="browser and not (journey or serial or prove)"
programs="serial and not (journey or prove)"
classes="journey and not prove"

# One after the other, each with its status in a file; ends with what it is doing when it is told to.
in_turn() {
    doing=
    trap '[ -z "$doing" ] || kill "$doing" 2>/dev/null; exit 143' TERM
    start "programs" -m "$programs" "$@" &
    doing=$!
    wait "$doing"
    echo "$?" >"$said.programs"
    start "whole classes" -m "$classes" "$@" &
    doing=$!
    wait "$doing"
    echo "$?" >"$said.classes"
}
# once_more STATUS NAME ...: the tests that failed, alone. A part that did not come to its end fails.
once_more() {
    status=$1
    shift
    case $status in
        0 | 5) ;; # 5: none of the chosen tests was in this part
        1) again "$@" ;;
        *) failed="$failed, $1" ;;
    esac
}

said=$(mktemp)
in_turn "$@" >"$said" 2>&1 &
beside=$!
(start "side by side" -n "$many" -m "$quick" "$@")
in_quick=$?
(start "pages in browsers" -n "$many" -m "$pages" "$@")
in_browsers=$?
wait "$beside"
beside=
cat "$said"
once_more "$in_quick" "side by side" -m "$quick" "$@"
once_more "$in_browsers" "pages in browsers" -m "$pages" "$@"
once_more "$(cat "$said.programs" 2>/dev/null || echo none)" "programs" -m "$programs" "$@"
once_more "$(cat "$said.classes" 2>/dev/null || echo none)" "whole classes" -m "$classes" "$@"
part "pages" node --test tests/static/*.test.mjs
[ -z "$failed" ] || { echo "Failed: ${failed#, }" >&2; exit 1; }
