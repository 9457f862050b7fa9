"""`python -m reeltune` is the command `reeltune`."""

import gc
import os
from contextlib import suppress


def main() -> None:
    """Run the command line; Ctrl-C ends it with one line and its exit code, also while it is
    imported."""
    gc.set_threshold(10_000)  # or looking for garbage is a seventh of what imports take
    try:
        from reeltune.cli.stopping import hear_all

        hear_all()
        from reeltune.cli.app import app

        app()
    except KeyboardInterrupt:  # before a command has begun
        with suppress(OSError):
            os.write(2, b"stopped\n")  # what prints may not be there yet
        os._exit(130)


if __name__ == "__main__":
    main()
