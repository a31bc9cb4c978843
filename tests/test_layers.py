"""Dependencies point inward: what each part may never import, read from the source itself.

An import inside a function counts like one at the top: it is the arrow that matters, not when it is drawn.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# The files that join all parts, and what starts them.
OUTERMOST = {"app.py", "cli.py", "demo.py", "demo_class.py", "serving.py", "start.py", "web_worker.py"}
AREAS = ("accounts", "courses", "content", "live_sessions", "notifications", "jobs")
MEDIA_LIBRARIES = {"aioice", "aiortc", "pylibsrtp", "_cffi_backend", "cffi", "cryptography", "OpenSSL", "pyee"}
DATABASE, WEB, SOCKETS = {"sqlalchemy", "alembic", "aiosqlite", "asyncpg"}, {"aiohttp"}, {"socketio", "engineio"}


def python_files(folder: str) -> list[Path]:
    return sorted(path for path in (ROOT / folder).rglob("*.py") if "node_modules" not in path.parts)


def imports_of(file: Path) -> Iterator[str]:
    """Every module a file imports, absolute, and the names taken from it (`server.errors.Missing`)."""
    package = file.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module or "") if part)
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def reaching(files: list[Path], forbidden: set[str]) -> list[str]:
    """`file imports module` for every import that is, or is inside, something forbidden."""
    return [
        f"{file.relative_to(ROOT)} imports {module}"
        for file in files
        for module in dict.fromkeys(imports_of(file))
        if any(module == name or module.startswith(name + ".") for name in forbidden)
    ]


def test_the_server_knows_nothing_of_signaling_except_where_all_parts_are_joined() -> None:
    inner = [f for f in python_files("server") if not (f.parent.name == "server" and f.name in OUTERMOST)]
    assert reaching(inner, {"signaling"}) == []


def test_nothing_imports_the_composition_root_but_what_starts_it() -> None:
    starts = OUTERMOST | {"__main__.py"}
    others = [f for f in python_files("server") + python_files("signaling") if f.name not in starts]
    assert reaching(others, {"server.app", "server.cli", "server.start"}) == []


def test_signaling_uses_services_and_never_the_web_face_of_an_area() -> None:
    webs = {f"server.{area}.{f.stem}" for area in AREAS for f in python_files(f"server/{area}") if is_web(f)}
    assert reaching(python_files("signaling"), webs | {"server.http.routes", "server.app"}) == []


def test_only_transport_knows_the_web_server_and_the_socket_library() -> None:
    joined = {"gateway.py"}
    inner = [f for f in python_files("signaling") if f.parent.name != "transport" and f.name not in joined]
    assert reaching(inner, SOCKETS) == []
    assert reaching(inner, WEB) == []


def test_media_is_a_process_of_its_own() -> None:
    allowed = MEDIA_LIBRARIES | set(sys.stdlib_module_names) | {"signaling"}
    files = python_files("signaling/media")
    foreign = {m.split(".")[0] for file in files for m in imports_of(file)} - allowed - {"aiortc_without_codecs"}
    assert foreign == set()
    assert reaching(files, {"signaling.rooms", "signaling.transport", "signaling.gateway"}) == []


@pytest.mark.parametrize("pattern", ["room.py", "state.py", "evolve.py", "commands.py", "decid*.py"])
def test_a_room_is_pure(pattern: str) -> None:
    files = sorted((ROOT / "signaling" / "rooms").glob(pattern))
    assert reaching(files, DATABASE | WEB | SOCKETS | {"asyncio", "time", "random", "secrets"}) == []


@pytest.mark.parametrize("area", AREAS)
def test_the_rules_of_an_area_are_pure(area: str) -> None:
    rules = [f for f in python_files(f"server/{area}") if f.name == "rules.py"]
    own = {f"server.{area}.{name}" for name in ("service", "web", "tables")}
    assert reaching(rules, DATABASE | WEB | {"asyncio", "server.db", "server.http"} | own) == []


@pytest.mark.parametrize("area", AREAS)
def test_a_service_does_not_know_how_it_is_called(area: str) -> None:
    services = [f for f in python_files(f"server/{area}") if f.name == "service.py"]
    webs = {f"server.{other}.{f.stem}" for other in AREAS for f in python_files(f"server/{other}") if is_web(f)}
    assert reaching(services, WEB | SOCKETS | {"signaling", "server.http.routes", "server.http.keys"} | webs) == []


@pytest.mark.parametrize("area", AREAS)
def test_an_area_never_uses_the_web_face_of_another(area: str) -> None:
    webs = {
        f"server.{other}.{f.stem}"
        for other in AREAS
        if other != area
        for f in python_files(f"server/{other}")
        if is_web(f)
    }
    assert reaching(python_files(f"server/{area}"), webs) == []


def test_the_core_imports_no_area() -> None:
    core = [ROOT / "server" / name for name in ("access.py", "errors.py", "events.py", "ports.py", "settings.py")]
    core += [f for f in python_files("server/db") if f.name != "schema.py"]
    assert reaching(core, {f"server.{area}" for area in AREAS}) == []


def test_the_environment_is_read_in_one_place() -> None:
    """Children are told what they need; a worker process gets its secret by its own variable."""
    readers = [
        str(file.relative_to(ROOT))
        for file in python_files("server") + python_files("signaling")
        if any(name in ("os.environ", "os.getenv") for name in names_in(file))
    ]
    assert set(readers) <= {
        "server/vendor.py",
        "server/supervisor.py",
        "server/load_test/process.py",
        "signaling/media/worker.py",
    }


def is_web(file: Path) -> bool:
    return file.stem == "web" or file.stem.endswith("_web")


def names_in(file: Path) -> Iterator[str]:
    """Every dotted name used in a file's code (`os.environ`)."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield f"{node.value.id}.{node.attr}"
