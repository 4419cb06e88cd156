"""Models of every family at tiny sizes, as folders and as files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.written import FAMILIES, save_file_of


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    """Give a model of a family, as a `folder` or as a `file`, as others save them."""
    made: dict[tuple[str, str], Path] = {}
    pipelines: dict[str, Any] = {}

    def get(family: str, layout: str) -> Path:
        if (family, layout) not in made:
            if family not in pipelines:
                pipelines[family] = FAMILIES[family]()
            place = tmp_path_factory.mktemp(f"{family}-{layout}") / "model"
            if layout == "folder":
                pipelines[family].save_pretrained(place)
            else:
                place = place.with_suffix(".safetensors")
                save_file_of(pipelines[family], place)
            made[family, layout] = place
        return made[family, layout]

    return get
