"""Commands that look after a library."""

import sys

import typer

from reeltune.cli.options import (
    LIBRARY,
    JsonOption,
    LibraryArgument,
    print_json,
)
from reeltune.cli.terminal import say_each

PLACE = 20  # in `--help`
app = typer.Typer(name="library", no_args_is_help=True, help="Look after a library.")


@app.command("info")
def library_info(library: LibraryArgument = LIBRARY, as_json: JsonOption = False) -> None:
    """Say what is in a library and what made it. Example: `reeltune library info holidays`"""
    from reeltune.cli.output import show_facts
    from reeltune.search.maintain import info

    facts = info(library)
    print_json(facts) if as_json else show_facts(facts)


@app.command("verify")
def library_verify(library: LibraryArgument = LIBRARY, as_json: JsonOption = False) -> None:
    """Check a library; exit code 1 if it has faults. Example: `reeltune library verify holidays`"""
    from dataclasses import asdict

    from reeltune.cli.output import show_health
    from reeltune.search.maintain import verify

    health = verify(library)
    print_json(asdict(health)) if as_json else show_health(health)
    sys.exit(1 if health.faults else 0)


@app.command("repair")
def library_repair(library: LibraryArgument = LIBRARY, as_json: JsonOption = False) -> None:
    """Mend what `verify` finds. Example: `reeltune library repair holidays`"""
    from reeltune.search.maintain import repair

    done = repair(library)
    print_json(done) if as_json else say_each(done or ["nothing to mend"])


@app.command("optimize")
def library_optimize(library: LibraryArgument = LIBRARY, as_json: JsonOption = False) -> None:
    """Compact a library and index its vectors. Example: `reeltune library optimize holidays`"""
    from reeltune.cli.output import show_facts
    from reeltune.search.maintain import optimize

    facts = optimize(library)
    print_json(facts) if as_json else show_facts(facts)
