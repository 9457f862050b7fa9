"""The player of the system, opened at a moment where it can be."""

import shlex
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from reeltune.errors import ConfigError
from reeltune.search.times import clock

# Those that begin where they are told to, and then what opens a file in whatever is usual.
PLAYERS = {
    "mpv": ("--start={start:.2f}", "--", "{video}"),
    "vlc": ("--start-time={start:.2f}", "{video}"),
    "ffplay": ("-loglevel", "error", "-ss", "{start:.2f}", "{video}"),
}
OPENERS = {  # none of which is a shell, that would read a name such as `a&b.mp4` as two commands
    "darwin": ("open", "{video}"),
    "win32": ("rundll32", "url.dll,FileProtocolHandler", "{video}"),
}
USUAL = ("xdg-open", "{video}")
AT_ONCE = 1.0  # s after which a player that is still there plays


def command_for(video: Path, start: float) -> tuple[list[str], bool]:
    """A command that plays a video, and whether it begins at `start`, in s.

    Raises ConfigError where there is no player and nothing that would know one.
    """
    for player, given in PLAYERS.items():
        if (found := shutil.which(player)) is not None:
            return [found, *(one.format(video=video, start=start) for one in given)], True
    opener, *rest = OPENERS.get(sys.platform, USUAL)
    if (found := shutil.which(opener)) is None:
        raise ConfigError(
            f"there is none of {', '.join([*PLAYERS, opener])} to play {video}; install one, or "
            f"open it yourself at {clock(start)}"
        )
    return [found, *(one.format(video=video) for one in rest)], False


def play(command: list[str]) -> None:
    """Start a player that goes on by itself, whatever becomes of the terminal.

    Raises OSError where it cannot be started, and ConfigError where it fails at once.
    """
    quiet = subprocess.DEVNULL
    started = subprocess.Popen(
        command, stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True
    )
    try:
        with suppress(subprocess.TimeoutExpired):
            if code := started.wait(AT_ONCE):
                raise ConfigError(
                    f"{command[0]} ended at once, with {code}; run it yourself to see why: "
                    f"{shlex.join(command)}"
                )
    finally:
        started.returncode = 0  # nobody waits for it, and Python is not to complain of that
