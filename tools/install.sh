#!/bin/sh
# Make .venv and the browser modules; nothing to do when both are up to date, and right from any half-made state.
#
#   tools/install.sh          what running needs
#   tools/install.sh --test   also what the checks and tests need
#
# PYTHON names the interpreter; without it the newest of the usual names is taken. Every failure is one line with its
# remedy and status 1. Plain sh, because nothing else is known to work yet.
set -u
cd "$(dirname "$0")/.." || exit 1

lock=requirements.lock
with_tests=
if [ "${1:-}" = --test ]; then
    lock=requirements-test.lock
    with_tests=--with-tests
fi

fail() {
    printf '%s\n' "$1" >&2
    exit 1
}

is_recent() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

chosen_python() {
    if [ -n "${PYTHON:-}" ]; then
        is_recent "$PYTHON" && printf '%s' "$PYTHON"
        return
    fi
    for name in python3 python3.13 python3.12 python3.11 python; do
        if is_recent "$name"; then
            printf '%s' "$name"
            return
        fi
    done
}

# What .venv was made from; kept in it, so that removing .venv forgets it too.
state_of() {
    printf '%s %s' "$(cksum <"$1")" "$(.venv/bin/python -c 'import sys; print(sys.version)' 2>/dev/null | tr '\n' ' ')"
}

is_installed() {
    [ -x .venv/bin/python ] && [ -f ".venv/$1.done" ] && [ "$(cat ".venv/$1.done")" = "$(state_of "$1")" ]
}

if ! is_installed "$lock"; then
    if ! { is_recent .venv/bin/python && .venv/bin/python -m pip --version >/dev/null 2>&1; }; then
        python=$(chosen_python)
        if [ -z "$python" ] && [ -n "${PYTHON:-}" ]; then
            fail "PYTHON=$PYTHON is not Python 3.11 or newer: name another, as in: make install PYTHON=python3.12"
        elif [ -z "$python" ]; then
            fail "Python 3.11 or newer is needed: install it (Debian: apt-get install python3 python3-venv), or name it: make install PYTHON=/path/to/python3"
        fi
        "$python" -c 'import venv, ensurepip' >/dev/null 2>&1 ||
            fail "Python's venv module is missing: install it (Debian: apt-get install python3-venv), then run this again."
        rm -rf .venv
        said=$("$python" -m venv .venv 2>&1) ||
            fail "Python could not make .venv here: check that this folder is writable and the disk not full, then run this again. ($(printf '%s' "$said" | tail -n 1))"
    fi
    echo "Installing Python packages into .venv (a minute or so the first time) ..."
    if ! said=$(.venv/bin/python -m pip install --quiet --no-input --disable-pip-version-check --require-hashes -r "$lock" 2>&1); then
        case $said in
        *"onnection"* | *"name resolution"* | *"timed out"* | *"Network is unreachable"* | *"ProxyError"* | *"from versions: none"*)
            fail "The Python packages could not be fetched: connect to the network (or set pip's index), then run this again." ;;
        *"No space left"*)
            fail "The disk is full: free about 500 MB, then run this again." ;;
        *)
            fail "pip could not install the Python packages: remove .venv and run this again. ($(printf '%s\n' "$said" | grep -i error | tail -n 1 | cut -c 1-200))" ;;
        esac
    fi
    state_of requirements.lock >.venv/requirements.lock.done
    [ "$lock" = requirements.lock ] || state_of "$lock" >".venv/$lock.done"
fi

said=$(.venv/bin/python -m server.vendor $with_tests 2>&1) || fail "$(printf '%s\n' "$said" | tail -n 1)"
case $said in *"up to date"*) ;; *) printf '%s\n' "$said" ;; esac
