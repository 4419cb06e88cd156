"""What a file says of itself is enough to draw it again."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from imaginairy import ImaginePrompt, ImagineResult, WeightedPrompt
from imaginairy.errors import BadImageError, BadOptionError
from imaginairy.metadata import xmp
from imaginairy.metadata.foreign import read_foreign
from imaginairy.metadata.read import read_metadata, read_written
from imaginairy.order import filled
from imaginairy.sources.catalog import known
from imaginairy.sources.roles import DRAWS


def result(prompt: ImaginePrompt | None = None) -> ImagineResult:
    prompt = prompt or ImaginePrompt("a scenic landscape", seed=1)
    rows = np.linspace(0, 255, 64 * 64 * 3).reshape(64, 64, 3).astype(np.uint8)
    return ImagineResult(
        prompt=filled(prompt, known(DRAWS, "sd15")),
        images={"generated": Image.fromarray(rows)},
        model_hash=lambda: "ab" * 32,
    )


@pytest.mark.parametrize("ending", ["jpg", "JPEG", "png"])
@pytest.mark.parametrize(
    "prompt",
    [
        ImaginePrompt("a fox", negative_prompt="dog", seed=0, steps=3, width=64),
        ImaginePrompt(
            [WeightedPrompt("katze", 1.25), WeightedPrompt("日本 🦊", -0.25)]
        ),
        ImaginePrompt('quotes " and \\ and\nlines'),
        ImaginePrompt("🦊" * 3000, negative_prompt="猫" * 5000),
        ImaginePrompt("cat, " * 2390, negative_prompt="cat, " * 2390 + "é"),
        ImaginePrompt("🦊" * 50_000, caption_text='<&>"\x01\ufffe\uffff' * 9000),
        ImaginePrompt("\t".join("\r\n\x85\u2028 猫" for _ in range(9000))),
    ],
    ids=["plain", "weighted", "signs", "long", "one accent", "longest", "blanks"],
)
def test_a_file_gives_its_prompt_back(
    prompt: ImaginePrompt, ending: str, tmp_path: Path
) -> None:
    drawn = result(prompt)
    path = drawn.save(tmp_path / f"fox.{ending}")
    assert ImaginePrompt.from_file(path) == drawn.prompt


def test_exif_tags(tmp_path: Path) -> None:
    drawn = result()
    path = drawn.save(tmp_path / "fox.jpg")
    with Image.open(path) as image:
        exif = image.getexif()
        comment = exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment]
    assert exif[ExifTags.Base.ImageDescription] == "a scenic landscape"
    assert exif[ExifTags.Base.Software].startswith("imaginairy ")
    when = drawn.created.strftime("%Y:%m:%d %H:%M:%S")
    assert exif[ExifTags.Base.DateTime] == when
    assert "cpu" in exif[ExifTags.Base.HostComputer]
    assert comment[:8] == b"ASCII\0\0\0"
    said = json.loads(comment[8:])
    assert said["model"] == "sd15"
    assert said["model_sha256"] == "ab" * 32
    assert (said["steps"], said["sampler_type"]) == (40, "plms")


def test_a_description_keeps_its_letters(tmp_path: Path) -> None:
    for name in ("fox.jpg", "fox.png"):
        path = result(ImaginePrompt("狐 é 🦊")).save(tmp_path / name)
        with Image.open(path) as image:
            raw = image.getexif()[ExifTags.Base.ImageDescription]
        assert raw.encode("latin-1").decode("utf-8") == "狐 é 🦊"


@pytest.mark.parametrize("words", [18_000, 45_000], ids=["one packet", "several"])
def test_what_is_too_long_for_exif_is_in_xmp(words: int, tmp_path: Path) -> None:
    drawn = result(
        ImaginePrompt("a fox, " * (words // 10), negative_prompt="a " * words)
    )
    path = drawn.save(tmp_path / "fox.jpg")
    with Image.open(path) as image:
        exif = image.getexif()
        comment = exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.UserComment]
        extended = [
            data
            for name, data in image.applist  # type: ignore[attr-defined]
            if data.startswith(xmp.EXTENSION)
        ]
        packet = image.info["xmp"]
    assert comment.endswith(b"it stands as UserComment in XMP.")
    shown = exif[ExifTags.Base.ImageDescription].encode("latin-1").decode("utf-8")
    assert shown == ("a fox, " * 200)[:1000] + "…"
    assert (b"HasExtendedXMP" in packet) == bool(extended) == (words > 40_000)
    assert read_metadata(path)["negative_prompt"] == "a " * words
    data = path.read_bytes()
    if extended:  # what is left of a packet is no record
        path.write_bytes(data.replace(extended[1][-50:], b"." * 50))
    else:
        path.write_bytes(data.replace(b"</rdf:li>", b"</rdf:no>"))
    with pytest.raises(BadImageError, match="holds no record"):
        read_metadata(path)


def test_names_that_are_no_text_and_numbers_of_numpy(tmp_path: Path) -> None:
    drawn = replace(
        result(),
        prompt=replace(result().prompt, model="/models/\udcff.safetensors"),
        applied={
            "outside": {"score": np.float32(0.5), "at": np.arange(2), "of": Path("a")}
        },
    )
    for name in ("fox.jpg", "fox.png"):
        said = read_metadata(drawn.save(tmp_path / name))
        assert said["model"] == "/models/\udcff.safetensors"
        assert said["applied"]["outside"] == {"score": 0.5, "at": [0, 1], "of": "a"}


def test_xmp_of_others_is_read(tmp_path: Path) -> None:
    text = "a fox\nSteps: 2, Sampler: Euler, Seed: 7"
    packets = {
        "element": f"<e:UserComment>{text}</e:UserComment>",
        "list": f"<e:a><r:Seq><r:li>x</r:li><r:li>{text}</r:li></r:Seq></e:a>",
    }
    start = (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><r:RDF xmlns:r="{xmp.RDF}">'
        f'<r:Description xmlns:e="{xmp.EXIF}" '
    )
    packets = {name: f">{packet}" for name, packet in packets.items()}
    packets["attribute"] = f'e:prompt="{text}">'.replace("\n", "&#10;")
    for name, packet in packets.items():
        whole = f"{start}{packet}</r:Description></r:RDF></x:xmpmeta>".encode()
        for ending in ("jpg", "webp", "avif"):
            path = tmp_path / f"{name}.{ending}"
            Image.new("RGB", (16, 16)).save(path, xmp=whole)
            written = read_written(path)
            assert written.comment == ("x" if name == "list" else text), path.name
            record = read_foreign(written)
            assert record is not None, path.name
            assert record.fields["seed"] == 7
    bomb = b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'
    assert xmp.read_texts(bomb) == xmp.read_texts(b"<a>") == xmp.read_texts(b"") == []


def test_png_says_it_in_the_words_of_other_tools(tmp_path: Path) -> None:
    prompt = ImaginePrompt("a fox", negative_prompt="dog", seed=3)
    path = result(prompt).save(tmp_path / "fox.png")
    with Image.open(path) as image:
        lines = image.text["parameters"].splitlines()  # type: ignore[attr-defined]
    assert lines[0] == "a fox"
    assert lines[1] == "Negative prompt: dog"
    assert lines[2].startswith("Steps: 40, Sampler: plms, CFG scale: 7.5, Seed: 3, ")
    assert "Size: 512x512, Model hash: ababababab, Model: sd15" in lines[2]


def test_a_jpg_keeps_colour_at_full_size_and_quality(tmp_path: Path) -> None:
    drawn = result()
    with Image.open(drawn.save(tmp_path / "fox.jpg")) as image:
        assert image.layer[0][1:3] == (1, 1)  # type: ignore[attr-defined]
        error = np.abs(np.asarray(image, float) - np.asarray(drawn.img, float))
    assert error.mean() < 2, f"mean error {error.mean()}"


def test_a_png_is_exact(tmp_path: Path) -> None:
    drawn = result()
    with Image.open(drawn.save(tmp_path / "fox.png")) as image:
        assert np.array_equal(np.asarray(image), np.asarray(drawn.img))


def test_nothing_half_written_stays(tmp_path: Path) -> None:
    drawn = result()
    broken = ImagineResult(
        prompt=ImaginePrompt("a fox"),  # its defaults are not filled in: saving fails
        images=drawn.images,
        model_hash=lambda: 1 / 0,  # type: ignore[arg-type, return-value]
    )
    with pytest.raises(ZeroDivisionError):
        broken.save(tmp_path / "fox.jpg")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["fox", "fox.gif", "fox.txt"])
def test_an_ending_that_is_no_picture(name: str, tmp_path: Path) -> None:
    with pytest.raises(BadOptionError, match=r"end it in \.jpg or \.png"):
        result().save(tmp_path / name)


def test_an_image_type_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadOptionError, match="no 'upscaled' picture; it has generated"):
        result().save(tmp_path / "fox.jpg", image_type="upscaled")


def test_pictures_that_say_nothing(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "plain.png")
    (tmp_path / "text.png").write_text("no picture")
    for name, words in [
        ("plain.png", "holds no record of how it was drawn"),
        ("text.png", "not a picture that can be read"),
        ("missing.png", "There is no file"),
    ]:
        with pytest.raises(BadImageError, match=words):
            ImaginePrompt.from_file(tmp_path / name)


def test_md5_is_of_the_pixels() -> None:
    assert result().md5() == result(ImaginePrompt("another")).md5()
    assert len(result().md5()) == 32


def test_notebooks_show_the_picture() -> None:
    assert result()._repr_png_().startswith(b"\x89PNG")
