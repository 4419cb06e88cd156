"""Published files of a transformer alone, whose other parts lie elsewhere."""

from pathlib import Path

import pytest

from tests.families.test_strangers import LAYOUTS, PREFIX
from tests.support.checkpoints import refusal, write_hollow

ALONE = {
    "zimage_turbo_transformer_diffusers": "Z-Image",
    "zimage_turbo_single_file": "Z-Image",
    "flux2_klein_4b_single_file": "Flux.2",
    "flux2_klein_4b_diffusers": "Flux.2",
    "flux1_schnell_single_file": "Flux.1",
    "flux1_dev_single_file": "Flux.1",
    "flux1_schnell_diffusers": "Flux.1",
    "chroma1_single_file_delta_from_flux1_schnell": "Chroma",
}
"""The family of each."""


@pytest.mark.parametrize("start", ["", PREFIX])
@pytest.mark.parametrize("layout", ALONE)
def test_a_transformer_alone_says_what_is_to_lie_beside_it(
    layout: str, start: str, tmp_path: Path
) -> None:
    file = tmp_path / "x.safetensors"
    write_hollow(file, {start + name: s for name, s in LAYOUTS[layout].items()})
    message = refusal(file)
    assert message.startswith(f"'{file}' holds the transformer of {ALONE[layout]} and")
    assert message.endswith(
        "give files that hold these, as --text-encoder and --vae, or put them into the "
        "folder where it lies."
    )
