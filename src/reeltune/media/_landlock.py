"""Takes the rights to the file system, and to other processes, from the worker (landlock(7))."""

import ctypes
import os
import sysconfig
from collections.abc import Iterable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

CREATE, ADD, RESTRICT = 444, 445, 446  # system calls, the same on all processors
READ = 0b1100  # the contents of a file and of a folder
# Rights that are taken away, and the version of Landlock that knows them.
FILES = {1: 0b1_1111_1111_1111, 2: 1 << 13, 3: 1 << 14, 5: 1 << 15}
SOCKETS = {4: 0b11}  # bind and connect
REACH = {6: 0b11}  # abstract sockets of, and signals to, processes outside
BENEATH = 1  # the kind of a rule about a folder
# Packages of which parts are imported when first needed, and where wheels have the shared libraries
# that those link to.
CODE = {"reeltune": "", "av": "av.libs", "PIL": "pillow.libs", "numpy": "numpy.libs"}


def restrict() -> bool:
    """Forbid, for good, to open, make, change, remove or run anything on disk, and to signal other
    processes; Python's own code may be read. Returns whether the system could do it."""
    version = _call(CREATE, None, 0, 1)
    if version < 1:
        return False
    if not any(place.is_dir() for place in _libraries("numpy")):
        import_module("numpy")  # now, since it links to libraries that could not be opened later
    tables = (FILES, SOCKETS, REACH)
    rights = [sum(bits for v, bits in table.items() if v <= version) for table in tables]
    known = 1 if version < 4 else 2 if version < 6 else 3
    attributes = (ctypes.c_uint64 * known)(*rights[:known])
    rules = _call(CREATE, attributes, ctypes.sizeof(attributes), 0)
    if rules < 0:
        return False
    try:
        _allow_reading(rules, _folders_of_code())
        return _call(RESTRICT, rules, 0) == 0
    finally:
        os.close(rules)


def _folders_of_code() -> set[Path]:
    """Where the standard library and the packages lie that decoding uses."""
    found = {Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib")}
    for package in CODE:
        found |= {*_places(package), *_libraries(package)}
    return {folder for folder in found if folder.is_dir()}


def _places(package: str) -> list[Path]:
    spec = find_spec(package)
    return [Path(place) for place in (spec.submodule_search_locations or [] if spec else [])]


def _libraries(package: str) -> list[Path]:
    """Where the shared libraries of a package would lie, were it installed as a wheel."""
    return [place.parent / CODE[package] for place in _places(package) if CODE[package]]


def _allow_reading(rules: int, folders: Iterable[Path]) -> None:
    for folder in folders:
        place = os.open(folder, os.O_PATH | os.O_CLOEXEC)
        try:
            _call(ADD, rules, BENEATH, ctypes.byref(_Beneath(READ, place)), 0)
        finally:
            os.close(place)


class _Beneath(ctypes.Structure):
    """A rule about a folder, as `struct landlock_path_beneath_attr`."""

    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32))


def _call(number: int, *arguments: object) -> int:
    try:
        return int(ctypes.CDLL(None).syscall(number, *arguments))
    except (AttributeError, OSError):
        return -1
