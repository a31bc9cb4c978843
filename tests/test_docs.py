"""What the documents promise is what the program has: settings, error codes, commands, files."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from server.errors import LecternError
from server.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()


def every_error(of: type[LecternError] = LecternError) -> Iterator[type[LecternError]]:
    for error in of.__subclasses__():
        yield error
        yield from every_error(error)


def import_everything() -> None:
    for folder in ("server", "signaling"):
        for file in sorted((ROOT / folder).rglob("*.py")):
            name = ".".join(file.relative_to(ROOT).with_suffix("").parts)
            if not name.endswith("__main__"):
                importlib.import_module(name.removesuffix(".__init__"))


def test_every_setting_is_in_the_readme() -> None:
    missing = [field.alias for field in Settings.model_fields.values() if f"`{field.alias}`" not in README]
    assert missing == []


def test_the_readme_names_no_setting_that_does_not_exist() -> None:
    named = set(re.findall(r"`((?:LECTERN_)[A-Z_]+)`", README))
    assert named <= {field.alias for field in Settings.model_fields.values()}


def test_every_error_code_is_in_the_architecture() -> None:
    import_everything()
    text = (ROOT / "ARCHITECTURE.md").read_text()
    codes = {error.code for error in every_error() if error.__module__.split(".")[0] in ("server", "signaling")}
    assert sorted(code for code in codes if f"`{code}`" not in text) == []


def test_every_command_is_in_the_readme() -> None:
    from server.cli import cli

    missing = [name for name in cli.commands if name not in README]
    assert missing == []


@pytest.mark.parametrize("name", ["README.md", "docs/reverse-proxy.md", "ARCHITECTURE.md", "CHANGELOG.md"])
def test_the_links_between_documents_lead_somewhere(name: str) -> None:
    path = ROOT / name
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text()):
        if "://" not in target:
            assert (path.parent / target).exists(), target


def test_locks_name_no_host_and_no_path() -> None:
    for name in ("requirements.lock", "requirements-test.lock", "package-lock.json"):
        text = (ROOT / name).read_text()
        assert "://" not in re.sub(r'"(?:url|funding)":\s*"[^"]*"', "", text), name
        assert not re.search(r"(?:^|\s)/(?:home|root|tmp|opt|usr)/", text), name
