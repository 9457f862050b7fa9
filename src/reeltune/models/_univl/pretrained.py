"""The released weights of UniVL, and the folder of them that training begins with."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from reeltune.models._released_keys import Release
from reeltune.settings.existing import Named
from reeltune.storage.home import from_home

RELEASE = Release("UniVL", "univl.pretrained.bin", "univl")
Pretrained = Annotated[Path, AfterValidator(from_home), Named(RELEASE.without_weights)]
