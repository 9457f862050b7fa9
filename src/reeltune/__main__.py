"""`python -m reeltune` is the command `reeltune`."""

from reeltune.cli import app

app()
