"""What the worker takes from itself before it touches a file; worker only.

Each measure is taken where the system has it. None of them is relied on alone.
"""

import ctypes
import sys

from reeltune.media import _landlock, _seccomp

NO_NEW_PRIVILEGES = 38  # prctl(2)
NEW_NETWORK, NEW_USER = 0x40000000, 0x10000000  # unshare(2)


def enter(memory: int) -> dict[str, bool]:
    """Give up memory, files, privileges and the network; returns what could be given up."""
    given_up = {
        "memory limit": _limit("RLIMIT_AS", memory),
        "no file writing": _limit("RLIMIT_FSIZE", 0),
        "few open files": _limit("RLIMIT_NOFILE", 64),
        "no core dumps": _limit("RLIMIT_CORE", 0),
        "no new privileges": _is_linux() and _call("prctl", NO_NEW_PRIVILEGES, 1, 0, 0, 0),
    }
    if not _is_linux():  # where threads count too, which a decoder may start; the filter does it
        _limit("RLIMIT_NPROC", 0)
    has_own_network = _is_linux() and (
        _call("unshare", NEW_NETWORK) or _call("unshare", NEW_USER | NEW_NETWORK)
    )
    is_locked = _is_linux() and _landlock.restrict()
    is_filtered = _is_linux() and _seccomp.restrict()  # last: it refuses all the calls above
    return given_up | {
        "no reading of other files": is_locked,
        "no changes on disk": is_locked and is_filtered,  # contents, and times, owner and mode
        "no network": is_filtered or has_own_network,
        "no other programs": is_filtered,
        "few system calls": is_filtered,
    }


def allow_cpu(seconds: float) -> None:
    """Let the process use `seconds` more of processor time, after which the system ends it."""
    try:
        import resource
    except ImportError:  # Windows; the parent's clock still runs
        return
    usage = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(usage.ru_utime + usage.ru_stime + seconds) + 1
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    limit = soft if hard == resource.RLIM_INFINITY else min(soft, hard)
    resource.setrlimit(resource.RLIMIT_CPU, (limit, hard))


def _limit(name: str, value: int) -> bool:
    try:
        import resource

        hard = resource.getrlimit(getattr(resource, name))[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(getattr(resource, name), (value, value))
    except (ImportError, AttributeError, ValueError, OSError):
        return False
    return True


def _is_linux() -> bool:
    return sys.platform.startswith("linux")


def _call(name: str, *arguments: int) -> bool:
    try:
        return bool(getattr(ctypes.CDLL(None), name)(*arguments) == 0)
    except (AttributeError, OSError):
        return False
