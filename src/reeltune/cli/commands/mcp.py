"""The command that lends a library to an assistant."""

import typer

from reeltune.cli.options import LIBRARY, DeviceOption, LibraryArgument

PLACE = 16  # in `--help`
app = typer.Typer()


@app.command()
def mcp(library: LibraryArgument = LIBRARY, device: DeviceOption = None) -> None:
    """Let an assistant search a library, by the Model Context Protocol (MCP) over this program's
    standard streams.

    The assistant starts it by itself, as the page on libraries says. It can search, list moments,
    read transcripts and look at small pictures; it changes nothing, and sees nothing else.

    Example: `reeltune mcp holidays`
    """
    from importlib.util import find_spec

    from reeltune.errors import ConfigError
    from reeltune.search.library import Library

    if find_spec("mcp") is None:
        raise ConfigError(
            "tools for assistants are an extra: mcp is not installed; pip install 'reeltune[mcp]'"
        )
    from reeltune.serve.assistant import assistant

    opened = Library(library, device)
    opened.prepare()
    assistant(opened).run()
