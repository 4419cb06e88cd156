"""At which size a model of one's own was trained, as its folder says."""

import json
from pathlib import Path

import pytest

from imaginairy.models.own_defaults import with_own_defaults
from imaginairy.sources.locate import locate
from imaginairy.sources.roles import DRAWS


@pytest.mark.parametrize(
    ("settings", "side"),
    [
        ('{"sample_size": 96}', 768),
        ('{"sample_size": "16"}', 128),
        ("{}", 512),
        ("[]", 512),
        ("{", 512),
        ('{"sample_size": [8, 8]}', 512),
        ('{"sample_size": Infinity}', 512),
        (None, 512),
    ],
)
def test_a_folder_may_say_at_which_size_it_was_trained(
    tmp_path: Path, settings: str | None, side: int
) -> None:
    (tmp_path / "unet").mkdir()
    if settings is not None:
        (tmp_path / "unet" / "config.json").write_text(settings)
    spec = with_own_defaults(locate(DRAWS, str(tmp_path)))
    assert spec.defaults.native_size == (side, side)


def test_json_of_a_folder_is_read_as_utf_8(tmp_path: Path) -> None:
    (tmp_path / "unet").mkdir()
    text = json.dumps({"_name": "é", "sample_size": 32}, ensure_ascii=False)
    (tmp_path / "unet" / "config.json").write_text(text, encoding="utf-8")
    assert with_own_defaults(locate(DRAWS, str(tmp_path))).defaults.width == 256
