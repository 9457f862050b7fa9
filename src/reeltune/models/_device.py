"""Chooses the device and the precision of a model."""

import torch

from reeltune.errors import ConfigError, counted

PRECISIONS = {
    "float32": torch.float32,
    "fp32": torch.float32,
    "bfloat16": torch.bfloat16,
    "bf16": torch.bfloat16,
}


def device_named(name: str | None) -> torch.device:
    """The device called `name`; without a name, the GPU if there is one, else the CPU."""
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ConfigError(f"no device is called {name!r}; use cpu, cuda or cuda:1") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigError(
            f"device {name} was asked for, but torch {torch.__version__} sees "
            f"{counted(torch.cuda.device_count(), 'CUDA device')}; use cpu, or install torch for "
            "CUDA"
        )
    return device


def precision_named(name: str | None) -> torch.dtype:
    """The precision called `name`; float32 without a name, so that every machine agrees."""
    if name is not None and name not in PRECISIONS:
        raise ConfigError(f"dtype {name!r} is not one of {', '.join(PRECISIONS)}")
    return PRECISIONS[name or "float32"]
