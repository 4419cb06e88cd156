"""Images published by their ids: each once, whatever ended the run before."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest
from click.testing import CliRunner, Result
from PIL import Image
from pyarrow import parquet

from imaginairy import ImaginePrompt
from imaginairy.cli.aimg import aimg
from imaginairy.cli.run_line import duration, in_words
from imaginairy.fleet.rows import read_rows
from imaginairy.fleet.sinks import open_sink

SMALL = ("-w", "64", "-h", "64", "--steps", "1")
LIST = """{"id": "fox", "prompt": "a fox"}
{"prompt": "a hen", "seed": 3}
"""
Publish = Callable[..., Result]


@pytest.fixture
def publish(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Publish:
    """Run `imagine` with the tiny model and an output, in a folder with a list."""
    monkeypatch.chdir(tmp_path)
    Path("list.jsonl").write_text(LIST)

    def publish(*words: str, file: str = "list.jsonl", to: str = "out") -> Result:
        small = ("--model", str(tiny_folder), *SMALL, "--output", to)
        return CliRunner().invoke(
            aimg, ["imagine", "--prompts-file", file, *small, *words]
        )

    return publish


def names(folder: str = "out") -> list[str]:
    return sorted(path.name for path in Path(folder).glob("*.*"))


def test_what_is_not_there_is_drawn(publish: Publish) -> None:
    ran = publish()
    assert ran.exit_code == 0, ran.output
    assert "saved out/fox.jpg" in ran.stderr and "2 images to out\n" in ran.stderr
    assert "2 of 2 images are there; 2 in 0:0" in ran.stderr
    hen, fox = names()
    assert fox == "fox.jpg" and hen.startswith("00000002-")
    before = {name: Path("out", name).read_bytes() for name in (hen, fox)}
    Path("list.jsonl").write_text(LIST + '"a dog"\n')
    Path("out", hen).unlink()
    ran = publish()
    assert ran.exit_code == 0, ran.output
    assert "3 images to out, 1 of which are there already" in ran.stderr
    assert len(names()) == 3 and Path("out/fox.jpg").read_bytes() == before["fox.jpg"]
    said = ImaginePrompt.from_file(Path("out", hen))
    assert (said.prompt_text, said.seed) == ("a hen", 3)


def test_images_are_those_of_the_rows(publish: Publish, tiny_folder: Path) -> None:
    publish()
    options = {"model": str(tiny_folder), "width": 64, "height": 64, "steps": 1}
    rows = {row.id: row.prompt for row in read_rows("list.jsonl", options)}
    for name in names():
        said = ImaginePrompt.from_file(Path("out", name))
        assert said.seed == rows[name.removesuffix(".jpg")].seed


def test_repeats_and_swept_values_are_numbered(publish: Publish) -> None:
    ran = publish("-r", "2", "--arg-schedule", "steps[1,2]")
    assert ran.exit_code == 0, ran.output
    foxes = ["fox-1-1.jpg", "fox-1-2.jpg", "fox-2-1.jpg", "fox-2-2.jpg"]
    assert [name for name in names() if "fox" in name] == foxes and len(names()) == 8
    said = [ImaginePrompt.from_file(Path("out", name)) for name in foxes]
    assert [each.steps for each in said] == [1, 2, 1, 2]
    assert said[0].seed == said[1].seed != said[2].seed


def test_events_are_json(publish: Publish, in_memory: str) -> None:
    Path("list.jsonl").write_text(LIST + '{"prompt": "a", "width": 72, "model": "x"}')
    ran = publish("--json", to=f"{in_memory}/out")
    assert ran.exit_code == 2 and not ran.stdout
    Path("list.jsonl").write_text(LIST)
    ran = publish("--json", "-q", to=f"{in_memory}/out")
    assert (ran.exit_code, ran.stderr) == (0, "")
    events = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [each["event"] for each in events] == [
        "started", "drawn", "progress", "drawn", "progress", "ended",
    ]  # fmt: skip
    assert events[1] == {
        "event": "drawn", "id": "fox", "file": f"{in_memory}/out/fox.jpg",
    }  # fmt: skip
    assert (events[-1]["done"], events[-1]["total"]) == (2, 2)


def test_shards_hold_all_of_a_run(publish: Publish) -> None:
    assert publish("--output-kind", "parquet").exit_code == 0
    (shard,) = names()
    fox, hen = parquet.read_table(f"out/{shard}").to_pylist()
    assert (fox["id"], hen["seed"]) == ("fox", 3)
    assert Image.open(io.BytesIO(hen["image"])).size == (64, 64)
    again = publish("--output-kind", "parquet", "--json")
    assert json.loads(again.stdout.splitlines()[-1])["drawn"] == 0
    assert names() == [shard]


def test_prompts_lie_anywhere(publish: Publish, in_memory: str) -> None:
    from fsspec.implementations.memory import MemoryFileSystem

    content = b"id,prompt,seed\nfox,a fox,4\n"
    MemoryFileSystem().pipe_file(f"{in_memory}/list.csv", content)
    ran = publish(file=f"{in_memory}/list.csv")
    assert ran.exit_code == 0, ran.output
    assert ImaginePrompt.from_file("out/fox.jpg").seed == 4


def test_what_fails_is_noted_and_tried_again(
    publish: Publish, tiny_folder: Path, tmp_path: Path
) -> None:
    broken = copytree(tiny_folder, tmp_path / "broken")
    weights = broken / "unet" / "diffusion_pytorch_model.safetensors"
    weights.rename(tmp_path / "weights")
    lines = [{"id": "cat", "prompt": "a cat", "model": "broken"}]
    lines += [{"id": "dog", "prompt": "a dog", "model": "broken"}]
    Path("list.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n" + LIST)
    ran = publish("--json")
    assert ran.exit_code == 1 and len(names()) == 2
    events = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [e["id"] for e in events if e["event"] == "failed"] == ["cat", "dog"]
    assert events[-1] | {"seconds": 0} == {
        "event": "ended", "done": 2, "drawn": 2, "failed": 2, "total": 4, "seconds": 0,
    }  # fmt: skip
    assert ran.stderr.count("has no weights in 'unet/'") == 1  # the same is said once
    assert "Error: 'cat': The model folder" in ran.stderr
    assert ran.stderr.splitlines()[-1] == (
        "Error: 2 of 4 images could not be generated; what is wrong is said above, and "
        "the same command tries them again; the others are published."
    )
    noted = [each["id"] for each in open_sink("out").failures()]
    assert sorted(noted) == ["cat", "dog"]
    (tmp_path / "weights").rename(weights)
    assert publish().exit_code == 0
    assert len(names()) == 4 and [*open_sink("out").failures()] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--grid"], "leave --grid out, or give --outdir."),
        (["--preview"], "leave --preview out"),
        (["--resume"], "goes on with what is there without --resume; leave it out."),
        (["--output", "list.jsonl"], "list.jsonl' is a file and no folder; give anot"),
        (["--output", "."], "'.' holds 'list.jsonl', which no run with an output put"),
        (["--output", "nowhere://a:b@c"], "'nowhere://c' cannot be opened ("),
        (["--output", "https://x.invalid/a"], "'https://x.invalid/a' can only be re"),
        (["--output", ""], "'' is no place to save in; give a folder."),
        (["--ray", "1.2.3.4:5", "--device", "cuda:1"], "leave the number out."),
        (["--ray", "1.2.3.4:5", "--device", "gpu"], "device 'gpu' is unknown; choose"),
    ],
    ids=lambda words: words[0] if isinstance(words, list) else "",
)  # fmt: skip
def test_bad_use(publish: Publish, words: list[str], said: str) -> None:
    ran = publish(*words)
    assert ran.exit_code == 2, ran.output
    assert said in ran.stderr and len(ran.stderr.splitlines()) == 1
    assert not Path("out").exists() and not Path("outputs").exists()


def test_a_device_of_a_cluster_need_not_be_here(publish: Publish) -> None:
    ran = publish("--ray", "127.0.0.1:9", "--device", "cuda")
    assert "answers at '127.0.0.1:9'" in ran.stderr
    ran = publish("--ray", "local", "--device", "cuda")
    assert "Device 'cuda' is not available here" in ran.stderr


def test_a_cluster_that_cannot_be_leaves_nothing_behind(
    publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    ran = publish("--ray", "local")
    assert ran.exit_code == 2 and "A cluster needs Ray" in ran.stderr
    assert not Path("out").exists()


def test_a_kind_needs_an_output(publish: Publish) -> None:
    ran = CliRunner().invoke(aimg, ["imagine", "a", "--output-kind", "parquet"])
    assert ran.exit_code == 2 and "--output-kind says how --output holds" in ran.stderr


@pytest.mark.parametrize(
    ("more", "words", "said"),
    [
        ('{"id": "fox", "prompt": "b"}', (), "Line 3 of 'list.jsonl': the id 'fox' is "
         "that of another row too"),
        ('{"id": "fox-2", "prompt": "b"}', ("-r", "2"), "could be that of a repeat of "
         "'fox'; give one of them another id."),
        ('{"id": "fox-2-1", "prompt": "b"}', ("-r", "2"), "that of a repeat of 'fox'"),
    ],
)  # fmt: skip
def test_an_id_is_of_one_image(
    publish: Publish, more: str, words: tuple[str, ...], said: str
) -> None:
    Path("list.jsonl").write_text(LIST + more)
    ran = publish(*words)
    assert ran.exit_code == 2 and said in ran.stderr, ran.output
    assert names() == []


def test_another_prompt_under_an_id_is_refused_before_anything(
    publish: Publish,
) -> None:
    publish()
    there = names()
    Path("list.jsonl").write_text('"a dog"\n' + LIST.replace("a fox", "a wolf"))
    ran = publish()
    assert ran.exit_code == 2
    assert ran.stderr.startswith("Error: Line 2 of 'list.jsonl': the output holds the")
    assert names() == there


def test_a_plan_makes_no_output(publish: Publish) -> None:
    ran = publish("--plan", to="memory://user:secret@out")
    assert ran.exit_code == 0, ran.output
    assert "2 images in 'memory://out', as jpg" in " ".join(ran.stdout.split())
    ran = publish("--plan", "--json")
    assert json.loads(ran.stdout)["outdir"] == "out"
    assert not Path("out").exists()


def test_nothing_is_wanted_of_a_folder_in_which_nothing_is_saved(
    publish: Publish,
) -> None:
    ran = publish("--outdir", "list.jsonl/x")
    assert ran.exit_code == 0, ran.output
    assert len(names()) == 2


@pytest.mark.parametrize(
    ("progress", "words"),
    [
        ({"failed": 0, "per_second": 0.0, "left_s": None, "workers": 1}, ""),
        (
            {"failed": 2, "per_second": 3.14159, "left_s": 4000, "workers": 8},
            "2 failed, 3.14 a second, 1:06:40 left, 8 workers",
        ),
    ],
)
def test_a_run_in_words(progress: dict[str, Any], words: str) -> None:
    assert in_words(progress) == words
    assert [duration(s) for s in (0.4, 59.6, 3600)] == ["0:00", "1:00", "1:00:00"]
