"""The filter of system calls, run by an interpreter of its steps for both processors."""

import ctypes
import errno
import re
from ctypes.util import find_library
from pathlib import Path

import pytest

from reeltune.media import _seccomp as filter_
from reeltune.media._system_calls import CALLS, NEWEST

ALLOWED, REFUSED, UNKNOWN, KILLED = (
    filter_.ALLOW,
    filter_.ERROR | errno.EPERM,
    filter_.ERROR | errno.ENOSYS,
    filter_.KILL,
)
MACHINES = tuple(filter_.ARCHITECTURES)
PROCESS = 4711


def verdict(machine: str, number: int, *arguments: int, architecture: int | None = None) -> int:
    """What the steps return for one call, each step as the kernel takes it."""
    known = filter_.ARCHITECTURES[machine][1]
    data = {0: number, 4: known if architecture is None else architecture}
    for place, argument in enumerate(arguments):
        data |= {16 + 8 * place: argument & 0xFFFFFFFF, 20 + 8 * place: argument >> 32}
    steps, at, held = filter_.program(machine, PROCESS), 0, 0
    while True:
        code, yes, no, value = steps[at]
        at += 1
        match code:
            case filter_.LOAD:
                held = data.get(value, 0)
            case filter_.RETURN:
                return value
            case filter_.EQUAL:
                at += yes if held == value else no
            case filter_.GREATER:
                at += yes if held > value else no
            case filter_.ANY_BIT:
                at += yes if held & value else no


def number_of(machine: str, name: str) -> int:
    number = CALLS[name][MACHINES.index(machine)]
    assert number is not None
    return number


BY_ARGUMENT = {"clone", "ioctl", "fcntl", "prlimit64", "kill", "tgkill"}


@pytest.mark.parametrize("machine", MACHINES)
def test_only_calls_of_the_table_are_allowed(machine: str) -> None:
    place = MACHINES.index(machine)
    plain = {n[place] for name, n in CALLS.items() if name not in BY_ARGUMENT} - {None}
    for number in range(NEWEST + 1):
        wanted = ALLOWED if number in plain else UNKNOWN if number == 435 else REFUSED
        assert verdict(machine, number, 0xDEAD, 0xDEAD) == wanted, number
    for number in (NEWEST + 1, 1000, 0x40000000 + 1, 0xFFFFFFFF):
        assert verdict(machine, number) == UNKNOWN
    other = filter_.ARCHITECTURES[MACHINES[1 - place]][1]
    assert verdict(machine, 0, architecture=other) == KILLED
    assert verdict(machine, 0, architecture=0x40000003) == KILLED, "32 bits on x86"


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(
    ("name", "allowed", "refused"),
    [
        ("clone", [(0x3D0F00,), (0x7D0F00,)], [(17,), (0x4111,), (0x10000000,), (0x1 << 48,)]),
        ("ioctl", [(0, 0x5401), (9, 0x5451), (9, 0x5450)], [(0, 0x5412), (3, 0x40086602)]),
        ("fcntl", [(3, 1030), (3, 4, 0), (3, 1)], [(3, 8, 1), (3, 6), (3, 1024), (3, 1031)]),
        ("prlimit64", [(0, 0)], [(1, 0), (PROCESS, 0)]),
        ("kill", [(PROCESS, 9)], [(1, 9), (0, 9), (-1, 9), (0xFFFFFFFF, 9), (-PROCESS, 9)]),
        ("tgkill", [(PROCESS, 3, 9)], [(1, 1, 9), (-1, 1, 9)]),
    ],
)
def test_an_argument_decides_where_the_call_alone_does_not(
    machine: str, name: str, allowed: list[tuple[int, ...]], refused: list[tuple[int, ...]]
) -> None:
    number = number_of(machine, name)
    assert {verdict(machine, number, *given) for given in allowed} == {ALLOWED}
    assert {verdict(machine, number, *given) for given in refused} == {REFUSED}


@pytest.mark.parametrize("machine", MACHINES)
def test_no_step_skips_farther_than_a_byte_can_say(machine: str) -> None:
    steps = filter_.program(machine, PROCESS)
    assert len(steps) < 4096
    assert all(max(yes, no) < 256 for _, yes, no, _ in steps)


def test_the_numbers_are_those_of_libseccomp() -> None:
    if (name := find_library("seccomp")) is None:
        pytest.skip("libseccomp, which knows the numbers, is not installed")
    resolve = ctypes.CDLL(name).seccomp_syscall_resolve_name_arch
    resolve.argtypes, resolve.restype = [ctypes.c_uint32, ctypes.c_char_p], ctypes.c_int
    for call, numbers in CALLS.items():
        for machine, number in zip(MACHINES, numbers, strict=True):
            known = resolve(filter_.ARCHITECTURES[machine][1], call.encode())
            assert known == number if number is not None else known < 0, (call, machine)


def test_the_numbers_are_those_of_the_headers() -> None:
    path = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
    if not path.is_file():
        pytest.skip("the headers of Linux are not installed")
    known = {name: int(n) for name, n in re.findall(r"__NR_(\w+) (\d+)", path.read_text())}
    assert {name: known[name] for name in CALLS} == {name: n[0] for name, n in CALLS.items()}
