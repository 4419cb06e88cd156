"""Which files of a folder or a repository a control needs; by names alone."""

from collections.abc import Sequence

from imaginairy.errors import UnknownModelError
from imaginairy.sources.from_address import ENDINGS
from imaginairy.sources.layouts import CONFIG, holds_weights, pick_weights, with_shards

MOST_SHOWN = 12


def control_files(
    files: Sequence[str], origin: str, noun: str, half: bool = False
) -> list[str]:
    """Choose the settings, where there are any, and last the weights.

    Those are what diffusers saves, or the one file there is.

    Raises:
        UnknownModelError: there is none, or there are several.
    """
    settings = [file for file in files if file == CONFIG]
    if holds_weights(files, ""):
        weights = with_shards(pick_weights(files, "", half=half), files)
        return [*settings, *reversed(weights)]
    single = [file for file in files if file.lower().endswith(ENDINGS)]
    safe = [file for file in single if file.lower().endswith(".safetensors")]
    for few in (safe, single):
        if len(few) == 1:
            return [*settings, *few]
    listed = ", ".join(single[:MOST_SHOWN]) + ", …" * bool(single[MOST_SHOWN:])
    raise UnknownModelError(
        f"'{origin}' holds {len(single) or 'no'} files of weights"
        + (f" ({listed}); say which, as {origin}:FILE" if single else "")
        + "."
    )
