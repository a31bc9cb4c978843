"""What a person at the terminal is told when the address answers; logs go elsewhere, to standard error."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from server.demo import Demo


def show_demo(base_url: str, demo: Demo, *, moved: Sequence[str], data_dir: str) -> None:
    """The address, a link for each person, a file to upload, how to stop. Links are never wrapped."""
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"\n  [bold]Lectern is ready[/bold]  [cyan]{base_url}[/cyan]\n")
    for line in moved:
        console.print(f"  [yellow]{line}[/yellow]")
    if moved:
        console.print()
    console.print("  Sign in with one click, each in a tab of its own:")
    width = max(len(visitor.name) for visitor in demo.visitors)
    for visitor in demo.visitors:
        link = f"{base_url}/app/sign-in#{visitor.token}"
        console.print(f"    {visitor.name:<{width}}  [dim]{visitor.role:<10}[/dim]  [cyan]{link}[/cyan]")
    emails = ", ".join(visitor.email for visitor in demo.visitors)
    console.print(f"  [dim]Or with the password[/dim] {demo.password} [dim]as {emails}[/dim]\n")
    console.print(f"  A video to upload:  {demo.sample}")
    console.print(f"  [dim]Everything is kept in {data_dir}. Ctrl-C stops.[/dim]\n")


def show_serving(base_url: str, setup_link: str | None) -> None:
    """The address and, on an empty server, the link that makes the first instructor."""
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"\n  [bold]Lectern is ready[/bold]  [cyan]{base_url}[/cyan]")
    if setup_link is not None:
        console.print(
            "\n  Nobody is here yet. This link, good for one person and seven days, makes the first instructor:"
        )
        console.print(f"    [cyan]{setup_link}[/cyan]")
    console.print()
