"""A library that is made once, and that each test finds as if it had just been made."""

import shutil
from collections.abc import Callable
from pathlib import Path

from media.own_videos import write_videos


class MadeOnce:
    """A folder with `videos`, three clips, and whatever is made of them beside these.

    Libraries hold the places of their videos, so each test has the folder in the same place.
    """

    def __init__(self, folder: Path, make: Callable[[Path], object]) -> None:
        """`make` is called with the folder of the clips."""
        self._now, self._kept = folder / "now", folder / "kept"
        make(write_videos(self._now / "videos"))
        shutil.copytree(self._now, self._kept)

    def anew(self) -> Path:
        """The folder of the clips; they and all beside it may be changed."""
        shutil.rmtree(self._now)
        shutil.copytree(self._kept, self._now, symlinks=True)
        return self._now / "videos"
