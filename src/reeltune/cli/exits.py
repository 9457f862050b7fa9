"""Exit codes of commands: 0 where all is there, 1 for an error, and one between."""

import typer

MISSING = 3  # something is missing of what was asked for


def exit_incomplete(incomplete: bool) -> None:
    """End the command where something is missing."""
    if incomplete:
        raise typer.Exit(MISSING)
