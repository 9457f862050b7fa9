"""Seals what Lance takes on trust: a table's newest manifest, lists of deleted rows and indices.

The seal is a file beside them, written after every commit, with a hash of each and copies of all
but the indices. Whoever is killed between the two leaves the seal of the version before, which
still tells of the files that both versions need.
"""

import hashlib
import json
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable
from dataclasses import dataclass

from reeltune.errors import MediaError
from reeltune.storage.atomic_file import write_atomically
from reeltune.storage.content import content_hash
from reeltune.storage.place import Place
from reeltune.storage.regular_file import read_bytes
from reeltune.storage.settings_file import read_json

NAME = "seal.json"
VERSIONS, INDICES = "_versions/", "_indices/"  # how names of manifests and of indices begin
NAMES = re.compile(r"_versions/\d+\.manifest|_deletions/[\w-]+\.\w+|_indices/[\w-]+/[\w.-]+")
MAGIC = b"LANC"  # the last bytes of every manifest
FOOTER = 16  # bytes
MOST = 1 << 28  # bytes of a seal or manifest that is read
LAST = (1 << 64) - 1  # manifests are named by how far their version is from this


@dataclass(frozen=True)
class Seal:
    """What a version of a table needs beside its data, by names below the table's folder."""

    version: int
    hashes: dict[str, str]
    copies: dict[str, bytes]  # of all but indices

    def broken(self, table: Place, names: Iterable[str]) -> list[str]:
        """Which of these files are not as they were."""
        return sorted(name for name in names if not self._fits(table, name))

    def _fits(self, table: Place, name: str) -> bool:
        try:
            return content_hash(table / name) == self.hashes[name]
        except MediaError:
            return False

    def put_back(self, table: Place, name: str) -> None:
        """Write a file from its copy."""
        (table / name).parent.mkdir(exist_ok=True)
        write_atomically(table / name, self.copies[name])


def read(table: Place) -> Seal | None:
    """The seal of a table; None where there is none, or none that can be trusted."""
    try:
        version, hashes, copies, told = read_json(table / NAME, MOST)
        if told != _sum(version, hashes, copies) or not all(map(NAMES.fullmatch, hashes)):
            return None  # damaged, or made to write elsewhere
        made = {name: b64decode(copies[name]) for name in hashes.keys() & copies.keys()}
        return Seal(int(version), hashes, made)
    except (OSError, ValueError, TypeError, AttributeError):
        return None


def write(table: Place, version: int, needed: Iterable[str]) -> None:
    """Seal a version that was just written. Files other than manifests never change, so what was
    sealed of them before holds on."""
    before = read(table) or Seal(version, {}, {})
    hashes, copies = {}, {}
    for name in needed:
        if name in before.hashes and not name.startswith(VERSIONS):
            hashes[name] = before.hashes[name]
            content = before.copies.get(name)
        else:
            hashes[name] = content_hash(table / name)
            content = None if name.startswith(INDICES) else read_bytes(table / name)
        if content is not None:
            copies[name] = b64encode(content).decode()
    whole = [version, hashes, copies, _sum(version, hashes, copies)]
    write_atomically(table / NAME, json.dumps(whole).encode())


def _sum(*parts: object) -> str:
    return hashlib.blake2b(json.dumps(parts).encode(), digest_size=16).hexdigest()


def manifests(table: Place) -> list[tuple[int, Place]]:
    """The versions that are there, newest first, each with the file that is its manifest."""
    found = []
    for file in (table / VERSIONS).glob("*.manifest"):
        if file.stem.isdecimal():
            number = int(file.stem)  # newer layouts count down
            found.append((number if number < 1 << 63 else LAST - number, file))
    return sorted(found, key=lambda one: one[0], reverse=True)


def require_whole(table: Place, version: int | None) -> None:
    """Raise OSError where what tells of the rows of a version, or of the newest, is not what was
    written: Lance would show other rows, panic, or end the process."""
    sealed = read(table)  # before versions are listed, which a writer may add to meanwhile
    found = dict(manifests(table))
    newest = max(found, default=0)
    if sealed and newest < sealed.version:
        raise OSError(f"its version {sealed.version} is gone")
    wanted = version or newest
    if wanted not in found:
        raise OSError(f"it has no version {wanted}" if version else "it has no manifest")
    try:
        content = read_bytes(found[wanted], MOST)
    except FileNotFoundError:
        return  # an old version that was just dropped
    if len(content) < FOOTER or not content.endswith(MAGIC):
        raise OSError("its manifest was cut or is none")
    if sealed and sealed.version == wanted and (broken := sealed.broken(table, sealed.copies)):
        raise OSError(f"{broken[0]} is not as it was written")
