"""`python -m reeltune` is the command `reeltune`."""

from reeltune.cli.app import app

app()
