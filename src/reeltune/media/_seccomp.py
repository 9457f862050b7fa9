"""Leaves the worker no other system calls than those it needs (seccomp(2)); worker only.

The kernel runs a small program, of classic BPF, at every call. A call that is not named is refused
with EPERM; one that is newer than the table, and clone3, whose flags lie in memory that a filter
cannot read, with ENOSYS, for which libraries fall back to the older call.
"""

import ctypes
import errno
import os
import platform
from collections.abc import Iterable

from reeltune.media._system_calls import CALLS, NEWEST

ARCHITECTURES = {  # by the kernel's name: place in the table, AUDIT_ARCH of audit.h, seccomp(2)
    "x86_64": (0, 0xC000003E, 317),
    "aarch64": (1, 0xC00000B7, 277),
}
SET_FILTER, ALL_THREADS, AS_FAST_AS_BEFORE = 1, 1, 4  # the latter: no slow-down against Spectre 4
CLONE3 = 435  # on all
CLONE_THREAD = 0x10000
# struct seccomp_data: the number, the architecture, and arguments of 8 bytes from 16 on.
NUMBER, ARCHITECTURE, ARGUMENTS = 0, 4, 16
LOAD, EQUAL, GREATER, ANY_BIT, RETURN = 0x20, 0x15, 0x25, 0x45, 0x06  # opcodes of bpf_common.h
ALLOW, KILL, ERROR = 0x7FFF0000, 0x80000000, 0x00050000  # what a filter returns
REFUSE, UNKNOWN = ERROR | errno.EPERM, ERROR | errno.ENOSYS
Step = tuple[int, int, int, int]  # opcode, steps to skip if so, if not so, number


def restrict() -> bool:
    """Refuse all calls but those of the table, for good; whether the system could do it.

    It needs no privileges once the process can gain none.
    """
    if platform.machine() not in ARCHITECTURES or ctypes.sizeof(ctypes.c_void_p) != 8:
        return False
    steps = program(platform.machine(), os.getpid())
    code = (_Filter * len(steps))(*(_Filter(*step) for step in steps))
    whole = _Program(len(steps), code)
    call = ARCHITECTURES[platform.machine()][2]
    try:
        done = ctypes.CDLL(None).syscall(
            call, SET_FILTER, ALL_THREADS | AS_FAST_AS_BEFORE, ctypes.byref(whole)
        )
    except (AttributeError, OSError):
        return False
    return bool(done == 0)


def program(machine: str, process: int) -> list[Step]:
    """The filter for a `machine`, by which the process of that number may signal itself alone."""
    place, architecture, _ = ARCHITECTURES[machine]
    by_argument = {  # the argument that decides, and what it may be
        "ioctl": (1, (0x5401, 0x5413, 0x541B, 0x5450, 0x5451)),  # of terminals; closed by exec
        "fcntl": (1, (0, 1, 2, 3, 4, 1030)),  # copies and flags of descriptors; no locks, no owner
        "prlimit64": (0, (0,)),  # of itself
        "kill": (0, (process,)),
        "tgkill": (0, (process,)),
    }
    steps: list[Step] = [
        (LOAD, 0, 0, ARCHITECTURE),
        (EQUAL, 1, 0, architecture),
        (RETURN, 0, 0, KILL),  # a call by another table of numbers, as of 32 bits
        (LOAD, 0, 0, NUMBER),
        (GREATER, 0, 1, NEWEST),  # those of x32 are far above
        (RETURN, 0, 0, UNKNOWN),
        (EQUAL, 0, 1, CLONE3),
        (RETURN, 0, 0, UNKNOWN),
    ]
    for name, numbers in CALLS.items():
        number = numbers[place]
        if number is None:
            continue
        if name == "clone":
            steps += _only_if(number, 0, [(ANY_BIT, 0, 1, CLONE_THREAD)])
        elif name in by_argument:
            argument, values = by_argument[name]
            steps += _only_if(number, argument, _one_of(values))
        else:
            steps += [(EQUAL, 0, 1, number), (RETURN, 0, 0, ALLOW)]
    return [*steps, (RETURN, 0, 0, REFUSE)]


def _only_if(number: int, argument: int, test: list[Step]) -> list[Step]:
    """Steps that allow a call whose argument passes a test, and refuse it otherwise.

    The lower half of the argument is looked at, as the kernel does with numbers of 32 bits.
    """
    inside = [(LOAD, 0, 0, ARGUMENTS + 8 * argument), *test, (RETURN, 0, 0, ALLOW)]
    return [(EQUAL, 0, len(inside) + 1, number), *inside, (RETURN, 0, 0, REFUSE)]


def _one_of(values: Iterable[int]) -> list[Step]:
    """Steps that go on at the next one but one where no value is met, and at the next otherwise."""
    known = tuple(values)
    last = len(known) - 1
    return [(EQUAL, last - place, int(place == last), value) for place, value in enumerate(known)]


class _Filter(ctypes.Structure):
    """A step, as `struct sock_filter`."""

    _fields_ = (
        ("code", ctypes.c_uint16),
        ("yes", ctypes.c_uint8),
        ("no", ctypes.c_uint8),
        ("number", ctypes.c_uint32),
    )


class _Program(ctypes.Structure):
    """All steps, as `struct sock_fprog`."""

    _fields_ = (("length", ctypes.c_uint16), ("steps", ctypes.POINTER(_Filter)))
