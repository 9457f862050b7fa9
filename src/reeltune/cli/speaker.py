"""Speaks sentences for sample clips: espeak-ng, which the extra `demo` brings."""

import ctypes
from functools import cache
from typing import Any

import numpy as np
from jaxtyping import Int16

from reeltune.errors import DataError

VOICES = ("en-us", "en-gb-x-rp", "en-us+f3")  # two men and a woman
RATE = 22_050  # samples a second, as espeak-ng makes them
# Of speak_lib.h, espeak-ng 1.52.
SYNCHRONOUS, DO_NOT_EXIT, CHARACTERS, UTF_8, RATE_OF_SPEECH = 2, 0x8000, 1, 1, 1
WORDS_A_MINUTE = 160
Hear = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


def say(text: str, voice: str = VOICES[0]) -> Int16[np.ndarray, " N"]:
    """A text, spoken: mono, RATE samples a second.

    Raises DataError where the extra `demo` is not installed or has no such voice.
    """
    loader = _loader()
    library = _library(loader.get_library_path(), loader.get_data_path())
    spoken: list[np.ndarray] = []

    def hear(samples: Any, count: int, events: object) -> int:
        if samples and count > 0:
            spoken.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0

    callback = Hear(hear)  # named, so that it lives as long as the call
    library.espeak_SetSynthCallback(callback)
    if library.espeak_SetVoiceByName(voice.encode()) != 0:
        raise DataError(f"espeak-ng has no voice {voice!r}; take one of {', '.join(VOICES)}")
    library.espeak_SetParameter(RATE_OF_SPEECH, WORDS_A_MINUTE, 0)
    said = text.encode() + b"\0"
    library.espeak_Synth(said, len(said), 0, CHARACTERS, 0, UTF_8, None, None)
    library.espeak_Synchronize()
    return np.concatenate(spoken) if spoken else np.zeros(0, np.int16)


def _loader() -> Any:
    try:
        import espeakng_loader
    except ImportError as error:
        raise DataError(
            "sentences are spoken by espeakng-loader, which is not installed; "
            "pip install 'reeltune[demo]'"
        ) from error
    return espeakng_loader


@cache
def _library(path: str, data: str) -> ctypes.CDLL:
    library = ctypes.CDLL(path)
    if library.espeak_Initialize(SYNCHRONOUS, 0, data.encode(), DO_NOT_EXIT) != RATE:
        raise DataError("espeak-ng does not start; pip install --force-reinstall espeakng-loader")
    return library
