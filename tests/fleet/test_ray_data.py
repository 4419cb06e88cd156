"""Rows of a data set to rows with pictures, in this process."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
from PIL import Image

from imaginairy import ImaginePrompt
from imaginairy.errors import BadOptionError, ImaginairyError
from imaginairy.fleet.drawer import Drawer
from imaginairy.fleet.ray_cluster import Place
from imaginairy.fleet.ray_data import (
    ImagineRows,
    content,
    imagine_dataset,
    prompt_of,
    room_for,
)
from imaginairy.metadata.write import encoded_image
from imaginairy.pictures import read_picture


@pytest.fixture(scope="module")
def small(tiny_folder: Path) -> dict[str, Any]:
    return {"model": str(tiny_folder), "steps": 1, "width": 64, "height": 64}


def asked(row: dict[str, Any], **fields: Any) -> ImaginePrompt:
    prompt = prompt_of(row, fields)
    assert isinstance(prompt, ImaginePrompt)
    return prompt


def test_each_row_comes_out_with_its_picture_or_with_why_there_is_none(
    small: dict[str, Any], tmp_path: Path
) -> None:
    table = pyarrow.table(
        {
            "id": ["a", "b", "c"],
            "prompt": ["a fox", "a dog", "a hen"],
            "seed": pyarrow.array([2**62 - 1, 5, None]),
            "vae": [None, str(tmp_path), None],
        }
    )
    made = ImagineRows(fields=small, device="cpu", batch_size=1)(table)
    assert made.drop_columns(["image", "metadata", "error"]) == table
    a, b, c = made.to_pylist()
    seeds = [json.loads(row["metadata"])["seed"] for row in (a, c)]
    assert seeds[0] == 2**62 - 1
    (alone,) = Drawer("cpu").drawn([ImaginePrompt("a hen", seed=seeds[1], **small)])
    assert read_picture(c["image"], "c").tobytes() == alone.img.tobytes()
    assert (a["error"], c["error"]) == (None, None)
    assert (b["image"], b["metadata"]) == (None, None)
    assert b["error"] == f"'{tmp_path}' holds no weights."


def test_pictures_come_as_arrays_too(small: dict[str, Any]) -> None:
    table = pyarrow.table({"prompt": ["a fox", ""], "seed": [1, 1]})
    made = ImagineRows(fields=small, image="array", device="cpu")(table)
    fox, nothing = made.column("image").to_pylist()
    (alone,) = Drawer("cpu").drawn([ImaginePrompt("a fox", seed=1, **small)])
    assert np.array_equal(fox, np.asarray(alone.img))
    assert (fox.shape, fox.dtype) == ((64, 64, 3), np.uint8)
    assert nothing.shape == (0, 0, 3)


def test_columns_of_the_same_names_are_replaced(small: dict[str, Any]) -> None:
    table = pyarrow.table({"prompt": ["a fox"], "error": ["of before"]})
    made = ImagineRows(fields=small, image="jpg", device="cpu")(table)
    assert made.column_names == ["prompt", "image", "metadata", "error"]
    (row,) = made.to_pylist()
    assert row["error"] is None
    assert row["image"].startswith(b"\xff\xd8")


def test_a_row_says_of_its_prompt_what_it_has_columns_for() -> None:
    row = {"prompt": "a fox", "steps": None, "width": 64, "label": object(), "id": 3}
    prompt = asked(row, steps=7, width=512, negative_prompt="mist")
    assert (prompt.prompt_text, prompt.steps, prompt.width) == ("a fox", 7, 64)
    assert prompt.negative_prompt == "mist"


def test_seeds_follow_from_all_of_a_row_unless_it_gives_one() -> None:
    one = {"prompt": "a fox", "id": 1}
    first, again = asked(one), asked(dict(reversed(one.items())))
    assert first.seed == again.seed
    assert asked(one | {"id": 2}).seed != first.seed
    assert asked(one | {"seed": 5}).seed == 5
    assert asked(one, seed=6).seed == 6
    varied = asked(one, variation_strength=0.5)
    assert varied.variation_seed == asked(one, variation_strength=0.2).variation_seed
    assert varied.variation_seed != varied.seed
    assert len({content({"a": value}) for value in (1, "1", None, b"1")}) == 4


def test_images_may_be_in_the_rows_themselves() -> None:
    image = Image.new("RGB", (64, 64), "red")
    data = encoded_image(image, "png", None)
    prompt = asked({"prompt": "a fox", "init_image": data})
    assert isinstance(prompt.init_image, Image.Image)
    assert prompt.init_image.tobytes() == image.tobytes()
    refused = prompt_of({"prompt": "a fox", "init_image": b"none"}, {})
    assert isinstance(refused, ImaginairyError)


def test_a_row_without_a_prompt_says_what_it_lacks() -> None:
    refused = prompt_of({"text": "a fox"}, {})
    assert isinstance(refused, BadOptionError)
    assert str(refused) == "The row has no column 'prompt'; say what to draw."


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"image": "jpeg"}, "image is one of png, jpg, array, not 'jpeg'."),
        ({"image": 7}, "image is one of png, jpg, array, not '7'."),
        ({"fields": ["steps"]}, "fields is a mapping of fields of prompts, not list"),
        ({"fields": {"stesp": 1}}, "fields names 'stesp', which is no field of a"),
        ({"versions": {"imaginairy": "0"}}, "The worker on another machine has"),
    ],
    ids=["image", "number", "list", "fields", "versions"],
)
def test_settings_that_cannot_be_are_refused(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ImaginairyError) as error:
        ImagineRows(**settings)
    assert str(error.value).startswith(message)


def test_what_is_no_data_set_is_refused() -> None:
    with pytest.raises(BadOptionError) as error:
        imagine_dataset([{"prompt": "a fox"}])
    assert str(error.value) == (
        "imagine_dataset takes a ray.data.Dataset (of Ray, which pip install "
        "'imaginairy[ray]' brings), not list."
    )


def node(cpus: int, gpus: int = 0) -> dict[str, Any]:
    return {"Alive": True, "Resources": {"CPU": cpus, "GPU": gpus}}


def test_a_cpu_is_left_for_what_reads_the_rows() -> None:
    def room(*nodes: Any, **asked: Any) -> Place:
        usual = {"is_cpu": False, "workers": None, "threads": None}
        return room_for(nodes, **(usual | asked))

    assert room(node(2)) == (1, 0, 1)
    assert room(node(1)) == (1, 0, 0)
    assert room() == (1, 0, 0)
    assert room(node(9)) == (2, 0, 4)
    assert room(node(8), node(8)) == (3, 0, 4)
    assert room(node(9), threads=1) == (8, 0, 1)
    assert room(node(9), workers=4) == (4, 0, 2)
    assert room(node(9, 2), node(8, 4)) == (6, 1, 1)
    assert room(node(9, 2), is_cpu=True) == (2, 0, 4)
