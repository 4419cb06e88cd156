"""Names of the files that pictures are saved in, and who may use which number."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from imaginairy.schema import ImaginePrompt

NUMBERED = re.compile(r"\.?(\d{6,})[_.].*")
MAX_NAME_LENGTH = 150


@contextmanager
def claimed_number(outdir: Path) -> Iterator[int]:
    """Hold the next running number of a folder while a picture is saved under it.

    The number follows the highest one there. A hidden file claims it, so that several
    runs can save into one folder and never collide.
    """
    outdir.mkdir(parents=True, exist_ok=True)
    while True:
        number = 1 + max(_numbers(outdir), default=0)
        claim = outdir / f".{number:06d}.claim"
        try:
            claim.touch(exist_ok=False)
        except FileExistsError:
            continue
        # Another run may have saved this number and let go of it since we looked.
        if number > max(_numbers(outdir, claims=False), default=0):
            break
        claim.unlink()
    try:
        yield number
    finally:
        claim.unlink(missing_ok=True)


def _numbers(outdir: Path, *, claims: bool = True) -> Iterator[int]:
    for path in outdir.iterdir():
        match = NUMBERED.fullmatch(path.name)
        if match and (claims or not path.name.startswith(".")):
            yield int(match[1])


def file_name(number: int, prompt: ImaginePrompt, extension: str) -> str:
    """Return e.g. `000001_557988237_PLMS40_PS7.5_a_scenic_landscape.jpg`.

    The prompt's defaults must be filled in.
    """
    assert prompt.sampler_type is not None
    start = (
        f"{number:06d}_{prompt.seed}_{prompt.sampler_type.upper()}{prompt.steps}"
        f"_PS{prompt.prompt_strength:g}_"
    )
    text = re.sub(r"[^\w]+", "_", prompt.prompt_text.lower()).strip("_")
    room = MAX_NAME_LENGTH - len(start)
    text = text.encode("utf-8")[:room].decode("utf-8", errors="ignore")
    return f"{start}{text.strip('_')}.{extension}".replace("_.", ".")
