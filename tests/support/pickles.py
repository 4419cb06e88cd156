"""Pickles that mention whatever is asked for, whether it is installed or not."""

import pickle
import types
from pathlib import Path
from typing import Any

import torch


class Callable:
    """Looks as if it could be called, or pickle would not write down a call of it."""

    def __call__(self) -> None:
        """Do nothing."""


class Global(Callable):
    """Pickles as the name of something, which unpickling would import."""

    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


class Call(Callable):
    """Pickles as a call, which unpickling would make."""

    def __init__(self, function: Any, *arguments: object) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple[Any, tuple[object, ...]]:
        return self.function, self.arguments


class Pickler(pickle._Pickler):  # the one in Python, whose parts can be replaced
    """Writes globals down unseen."""

    def save(self, obj: object, save_persistent_id: bool = True) -> None:
        if isinstance(obj, Global):
            self.write(f"c{obj.module}\n{obj.name}\n".encode())
        else:
            super().save(obj, save_persistent_id)


def dump(content: object, file: Any, protocol: int | None = None) -> None:
    """Pickle as `pickle.dump` does."""
    Pickler(file, protocol).dump(content)


def save(content: object, path: Path, *, legacy: bool = False) -> None:
    """Save as `torch.save` does."""
    module = types.ModuleType("pickles")
    vars(module).update(Pickler=Pickler, dump=dump)
    torch.save(
        content,
        path,
        pickle_module=module,
        _use_new_zipfile_serialization=not legacy,
    )


def lightning(tensors: dict[str, torch.Tensor]) -> dict[str, Any]:
    """Wrap tensors as old versions of Lightning and numpy did."""
    number = Call(
        Global("numpy.core.multiarray", "scalar"),
        Call(Global("numpy", "dtype"), "f8", False, True),
        Call(Global("_codecs", "encode"), "\x00\x00\x00\x00\x00\x00\xf0?", "latin1"),
    )
    callback = Global("pytorch_lightning.callbacks.model_checkpoint", "ModelCheckpoint")
    return {
        "epoch": 3,
        "global_step": 470_000,
        "pytorch-lightning_version": "1.4.2",
        "state_dict": tensors,
        "callbacks": {callback: {"monitor": "val/loss", "best_model_score": number}},
        "optimizer_states": [{"state": {0: {"exp_avg": torch.ones(3)}}}],
        "lr_schedulers": [{"last_epoch": 3, "_last_lr": [number]}],
    }
