"""Install Debian's chromium, which tests of the page drive, where this user may install it.

`make test` runs it first. Where it cannot install the browser it says so and goes on, since those
tests then skip themselves and nothing else needs one.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys

NAME = "chromium"
APT = ("apt-get", "--quiet=2", "--option=DPkg::Lock::Timeout=300")
INSTALL = (*APT, "install", "--yes", "--no-install-recommends", NAME)


def main() -> None:
    if shutil.which(NAME):
        return
    if not is_debian():
        skipped("this system is not Debian, so install chromium in the way of your system")
    elif os.geteuid() != 0:
        skipped(f"only root may install it, as in: sudo apt-get install {NAME}")
    else:
        print(f"browser: {NAME}, from Debian, for the tests of the page", flush=True)
        if not (run(*INSTALL) or (run(*APT, "update") and run(*INSTALL))):
            skipped("apt-get could not install it, for the reason above")


def is_debian() -> bool:
    try:
        return platform.freedesktop_os_release()["ID"] == "debian"
    except (OSError, KeyError):
        return False


def run(*command: str) -> bool:
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(command, env=quiet, stdout=subprocess.DEVNULL, check=False)
    except OSError as error:
        print(f"browser: {command[0]} cannot be run: {error}", file=sys.stderr, flush=True)
        return False
    return done.returncode == 0


def skipped(why: str) -> None:
    print(f"browser: there is no {NAME}, and tests of the page skip themselves: {why}", flush=True)


if __name__ == "__main__":
    main()
