"""Exit codes of commands: 0 if all is there, 1 for an error, and 3 if something is missing."""

import typer

MISSING = 3  # something is missing of what was asked for


def exit_incomplete(incomplete: bool) -> None:
    """End the command with 3 if something is missing."""
    if incomplete:
        raise typer.Exit(MISSING)
