"""Which lines and branches of the package the tests of this process reach, as SlipCover counts.

Its probes stand in the code of the package alone, so that torch and pytest run at full speed.
"""

import ast
import json
import os
from pathlib import Path
from types import CodeType

from slipcover import Slipcover
from slipcover.branch import preinstrument
from slipcover.config import read_config

NEVER = 2**31 - 1  # passes of a probe after which SlipCover takes it out of code that runs


class Reached:
    """Puts probes into code, and writes what they saw into a folder, a file for each process."""

    def __init__(self, folder: Path) -> None:
        settings = read_config()
        worker = os.environ.get("PYTEST_XDIST_WORKER")
        self.file = folder / f"{worker or 'main'}.json"
        self.omitted = {str(Path(path).absolute()) for path in settings["omit"]}
        self.probes = Slipcover(
            branch=settings["branch"],
            source=None if worker else settings["source"],  # files that no test imports, once
            omit=settings["omit"],
            exclude_also=settings["exclude-also"],
            d_miss_threshold=NEVER,
        )

    def compiled(self, source: bytes, path: str) -> CodeType:
        """The code of a file with a probe in each line and branch, unless it is omitted."""
        if path in self.omitted:
            return compile(source, path, "exec", dont_inherit=True)
        tree = preinstrument(ast.parse(source))
        return self.probes.instrument(compile(tree, path, "exec", dont_inherit=True))

    def write(self) -> None:
        self.file.write_text(json.dumps(self.probes.get_coverage()))
