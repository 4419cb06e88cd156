"""Models of tiny size, on the CPU and on the pretend device."""

from pathlib import Path

import pytest

from tests.support.tiny import tiny_pipeline
from tests.support.tiny_kin import tiny_refiner, tiny_sd2, tiny_sdxl


@pytest.fixture(scope="session")
def models(
    tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """Folders of models by what they are."""
    folder = tmp_path_factory.mktemp("kinds")
    made = {
        "inpainting": tiny_pipeline(inpainting=True),
        "2": tiny_sd2(),
        "XL": tiny_sdxl(),
        "refiner": tiny_refiner(),
        "vae": tiny_pipeline(seed=7).vae,
    }
    for name, pipeline in made.items():
        pipeline.save_pretrained(folder / name)
    return {"1": str(tiny_folder)} | {name: str(folder / name) for name in made}
