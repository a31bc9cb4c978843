"""The command line: reads options, calls, shows. Nothing is decided here.

Whatever goes wrong before serving is one line on standard error and status 1; options that do not exist are status 2.
Modules are imported inside the commands, so that `--help` is instant.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from server import VERSION, pace

if TYPE_CHECKING:
    from server.settings import Settings

ROLES = ("student", "expert", "admin")


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, message="lectern %(version)s")
def cli() -> None:
    """Lectern, a live-classroom server. Settings come from the environment; README.md lists them."""


@cli.command()
def demo() -> None:
    """Serve a seeded classroom on this machine, with one-click sign-in links."""
    with pace.loading():
        from server.start import start_demo

    start_demo(_settings())


@cli.command()
@click.option("--only", type=click.Choice(["web", "media", "jobs"]), help="Run one kind of process instead of all.")
@click.option(
    "--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Web processes on the one port."
)
def serve(only: str | None, workers: int) -> None:
    """Serve; on an empty database print a one-time link that makes the first instructor."""
    with pace.loading():
        from server import start

    if only in ("media", "jobs"):
        if workers > 1:
            raise SystemExit(f"--workers is about web processes; --only {only} starts none.")
        {"media": start.start_media, "jobs": start.start_jobs}[only](_settings())
    else:
        (start.start_web if only else start.start)(_settings(), workers)


@cli.command()
def migrate() -> None:
    """Bring the database to the schema of this program; nothing to do is fine."""
    from server.db.migrate import head, upgrade
    from server.schema_check import is_at_head

    settings = _settings()
    if settings.is_embedded or not is_at_head(settings):
        upgrade(settings.database_url)
    click.echo(f"The database is at {head()}.")


@cli.group()
def user() -> None:
    """People: add one, set a password."""


@user.command("add")
@click.option("--email", required=True)
@click.option("--name", required=True)
@click.option("--role", type=click.Choice(ROLES), default="student", show_default=True)
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input; else one is asked for.")
def user_add(email: str, name: str, role: str, password_stdin: bool) -> None:
    """Add a person."""
    from server.people import add

    _told(add(_prepared(), email, name, role, _password(password_stdin)))


@user.command("password")
@click.option("--email", required=True)
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input; else one is asked for.")
def user_password(email: str, password_stdin: bool) -> None:
    """Set somebody's password; all their sign-ins end."""
    from server.people import set_password

    _told(set_password(_prepared(), email, _password(password_stdin)))


@cli.command()
def doctor() -> None:
    """Check this machine and the settings; status 1 when something would keep Lectern from serving."""
    from server.doctor import examine

    findings = examine(_settings())
    for finding in findings:
        click.echo(f"{'ok  ' if finding.is_fine else 'FAIL' if finding.is_needed else 'note'}  {finding.text}")
    if any(finding.is_needed and not finding.is_fine for finding in findings):
        sys.exit(1)


@cli.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def backup(file: Path) -> None:
    """Write the database, keys and uploads of an embedded server into FILE; it may be running."""
    from rich.progress import Progress

    from server.backup import back_up

    with Progress(transient=True, disable=not sys.stdout.isatty()) as bars:
        bar = bars.add_task("Backing up", total=None)
        back_up(_settings(), file, lambda done, total: bars.update(bar, completed=done, total=total))
    click.echo(f"{file} holds {file.stat().st_size / 1e6:.1f} MB.")


@cli.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def restore(file: Path) -> None:
    """Put the backup FILE into an empty data directory."""
    from server.backup import restore

    settings = _settings()
    restore(settings, file)
    click.echo(f"{settings.data_dir} is as it was when {file} was made.")


@cli.command("load-test")
@click.option("--scenario", default="chat", show_default=True, help="What is done; --list tells.")
@click.option("--list", "is_list", is_flag=True, help="The scenarios and their usual sizes.")
@click.option("--connections", type=int, help="How many people are connected.")
@click.option("--rooms", type=int, help="In how many live classes.")
@click.option("--rate", type=float, help="Lines a second, in all rooms together.")
@click.option("--seconds", type=float, help="For how long.")
@click.option("--database", metavar="URL", default="", help="An empty PostgreSQL database instead of SQLite.")
@click.option("--json", "is_json", is_flag=True, help="Figures for machines, on standard output.")
@click.option("--keep", is_flag=True, help="Keep the folder with the database and the server's log.")
def load_test(scenario: str, is_list: bool, database: str, is_json: bool, keep: bool, **sizes: Any) -> None:
    """Put a load on a server process of its own; status 1 when something acknowledged did not arrive."""
    from server.load_test import command

    if is_list:
        command.list_scenarios()
        return
    load = command.load_of(scenario, database, **sizes)
    _quiet()
    if not command.carry_out(load, keep=keep, is_json=is_json):
        sys.exit(1)


@cli.command()
def openapi() -> None:
    """Print the REST interface (OpenAPI 3.1)."""
    from server.app import openapi_document

    _print_json(openapi_document())


@cli.command()
def asyncapi() -> None:
    """Print the Socket.IO interface (AsyncAPI 3)."""
    from server.app import asyncapi_document

    _print_json(asyncapi_document())


def main() -> None:
    """The program's entry."""
    cli(prog_name="python -m server")


def _settings() -> Settings:
    """The settings, with logs set up; a wrong one ends the program with its name."""
    from pydantic import ValidationError

    from server import logs
    from server.settings import Settings

    try:
        settings = Settings()
    except ValidationError as error:
        wrong = [f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in error.errors()]
        raise SystemExit(f"Settings: {'; '.join(wrong)}") from None
    logs.configure(settings.log_format, settings.log_level)
    return settings


def _quiet() -> None:
    """Logs of errors alone, whatever the settings say."""
    from server import logs

    logs.configure(level="error")


def _prepared() -> Settings:
    """The settings, with a database that has its schema."""
    from server.schema_check import prepare_schema

    settings = _settings()
    prepare_schema(settings)
    return settings


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))


def _told(work: Any) -> None:
    """Show the sentence that `work` comes to, or the reason why not."""
    from server.errors import LecternError

    try:
        click.echo(asyncio.run(work))
    except LecternError as error:
        details = [str(one["detail"]) for one in error.extra.get("errors", [])]
        raise SystemExit("; ".join([error.detail, *details])) from None


def _print_json(document: dict[str, Any]) -> None:
    click.echo(json.dumps(document, indent=2))
