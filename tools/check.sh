#!/bin/sh
# Format, lint and types, of the Python and of the pages; each is run and named even when an earlier one fails.
set -u
cd "$(dirname "$0")/.." || exit 1
. tools/node_path.sh

failed=
step() {
    name=$1
    shift
    if "$@"; then
        echo "ok      $name"
    else
        echo "FAILED  $name"
        failed="$failed $name"
    fi
}

step format .venv/bin/ruff format --check --quiet .
step lint .venv/bin/ruff check --quiet .
step types .venv/bin/mypy --no-error-summary
step page-types node node_modules/typescript/bin/tsc --project tsconfig.json
[ -z "$failed" ] || { echo "Not clean:$failed (make format repairs what a program can)" >&2; exit 1; }
