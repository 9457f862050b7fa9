"""What the worker takes from itself before it touches a file; worker only.

Each measure is taken where the system has it. None of them is relied on alone.
"""

import ctypes
import os
import sys

NO_NEW_PRIVILEGES = 38  # prctl(2)
NEW_NETWORK, NEW_USER = 0x40000000, 0x10000000  # unshare(2)
LANDLOCK_CREATE, LANDLOCK_RESTRICT = 444, 446  # system calls, the same on all processors
# Rights that landlock(7) takes away, and the version of Landlock that knows them. Reading stays:
# Python still loads modules when it meets the first picture of a kind.
FILE_RIGHTS = {1: 0b1_1111_1111_0011, 2: 1 << 13, 3: 1 << 14, 5: 1 << 15}
SOCKET_RIGHTS = {4: 0b11}  # bind and connect
REACH = {6: 0b11}  # abstract sockets of, and signals to, processes outside


def enter(memory: int) -> dict[str, bool]:
    """Give up memory, files, privileges and the network; returns what could be given up."""
    return {
        "memory limit": _limit("RLIMIT_AS", memory),
        "no file writing": _limit("RLIMIT_FSIZE", 0),
        "few open files": _limit("RLIMIT_NOFILE", 64),
        "no core dumps": _limit("RLIMIT_CORE", 0),
        "no new privileges": _is_linux() and _call("prctl", NO_NEW_PRIVILEGES, 1, 0, 0, 0),
        "no changes on disk": _is_linux() and _landlock(),
        "no network": _is_linux()
        and (_call("unshare", NEW_NETWORK) or _call("unshare", NEW_USER | NEW_NETWORK)),
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


def _landlock() -> bool:
    """Forbid to make, change, remove or run anything on disk, and to signal other processes."""
    version = _system_call(LANDLOCK_CREATE, None, 0, 1)
    if version < 1:
        return False
    tables = (FILE_RIGHTS, SOCKET_RIGHTS, REACH)
    rights = [sum(bits for v, bits in table.items() if v <= version) for table in tables]
    known = 1 if version < 4 else 2 if version < 6 else 3
    attributes = (ctypes.c_uint64 * known)(*rights[:known])
    rules = _system_call(LANDLOCK_CREATE, attributes, ctypes.sizeof(attributes), 0)
    if rules < 0:
        return False
    try:
        return _system_call(LANDLOCK_RESTRICT, rules, 0) == 0
    finally:
        os.close(rules)


def _system_call(number: int, *arguments: object) -> int:
    try:
        return int(ctypes.CDLL(None).syscall(number, *arguments))
    except (AttributeError, OSError):
        return -1


def _is_linux() -> bool:
    return sys.platform.startswith("linux")


def _call(name: str, *arguments: int) -> bool:
    try:
        return bool(getattr(ctypes.CDLL(None), name)(*arguments) == 0)
    except (AttributeError, OSError):
        return False
