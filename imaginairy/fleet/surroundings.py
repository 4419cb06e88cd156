"""What a process elsewhere takes over from the one that asks for images."""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

OURS = "IMAGINAIRY_"
KEY_VARIABLE = "IMAGINAIRY_API_KEY"
"""Names the keys that requests to a server must come with."""
SECRETS = (KEY_VARIABLE,)
"""Variables of ours that are nobody else's business."""


@dataclass(frozen=True)
class Surroundings:
    """They travel to where images are generated, and are settled there."""

    variables: Mapping[str, str]
    """Those by which the user set how images are generated."""
    folder: str
    """Where relative paths begin."""
    threads: int | None = None
    """How many compute; None leaves that to the machine."""

    @classmethod
    def here(cls, threads: int | None = None, **variables: str) -> "Surroundings":
        """Return those of this process, with some variables besides."""
        ours = {
            name: value
            for name, value in os.environ.items()
            if name.startswith(OURS) and name not in SECRETS
        }
        return cls({**ours, **variables}, str(Path.cwd()), threads)

    def settle(self, environment: Any = os.environ) -> None:
        """Make them those of this process, before anything heavy is loaded in it.

        Args:
            environment: where its variables are.
        """
        environment.setdefault("OMP_WAIT_POLICY", "passive")  # it is not alone here
        environment.update(self.variables)
        with suppress(OSError):  # not all machines have the same folders
            os.chdir(self.folder)
        if self.threads is not None:
            environment["OMP_NUM_THREADS"] = str(self.threads)
            import torch

            torch.set_num_threads(self.threads)
