"""`aimg gallery`: what it writes."""

import json
import shlex
from pathlib import Path
from typing import Any, get_args

import pytest
from click.testing import CliRunner
from hypothesis import assume, example, given
from hypothesis import strategies as st

from imaginairy import ImaginePrompt
from imaginairy.cli.aimg import aimg
from imaginairy.cli.imagine_cmd import imagine_cmd
from imaginairy.cli.options import given as fields_given
from imaginairy.errors import BadOptionError
from imaginairy.gallery import (
    Entry,
    facts,
    imagine_command,
    json_for_page,
    read_entries,
    write_gallery,
)
from imaginairy.samplers import SAMPLERS
from imaginairy.samplers.schedule import Spacing
from tests.support.galleries import EVIL, save, save_all_kinds


def test_the_command_says_where(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "outputs").mkdir()
    save(tmp_path / "outputs", 1, "a fox")
    ran = CliRunner().invoke(aimg, ["gallery"])
    assert ran.exit_code == 0
    assert ran.stdout == "outputs/index.html: 1 picture; open it in a browser.\n"
    save(tmp_path / "outputs", 2, "a fox")
    assert "2 pictures" in CliRunner().invoke(aimg, ["gallery", "outputs"]).stdout


def test_bad_use(tmp_path: Path) -> None:
    with pytest.raises(BadOptionError, match="There is no folder"):
        write_gallery(tmp_path / "none")
    with pytest.raises(BadOptionError, match="There are no jpg or png pictures"):
        write_gallery(tmp_path)
    save(tmp_path, 1, "a fox")
    (tmp_path / "index.html").write_text("<h1>My site</h1>")
    with pytest.raises(BadOptionError, match="is there already and is not a gallery"):
        write_gallery(tmp_path)
    assert (tmp_path / "index.html").read_text() == "<h1>My site</h1>"


def test_what_is_in_the_page(tmp_path: Path) -> None:
    folder = save_all_kinds(tmp_path)
    names = {entry.path.name for entry in read_entries(folder)}
    assert len(names) == 7 and "plain.png" in names
    text = (folder / "index.html").read_text()
    assert "{{" not in text and "<title>a &amp; &lt;b&gt;" in text
    assert EVIL not in text and "<img src=x" not in text
    assert text.count("</script>") == 2


def test_what_was_done_to_a_picture_is_told_in_words() -> None:
    applied = {"fix_faces": {"model": "k_one", "faces": 2, "seen": [True, None]}}
    entry = Entry(Path("a.jpg"), (8, 8), {"upscale": True, "applied": applied})
    assert facts(entry) == {
        "size": "8 x 8",
        "upscale": "yes",
        "fix faces": "model k_one, faces 2, seen yes, None",
    }
    assert facts(Entry(Path("a.jpg"), (8, 8), {"applied": 3})) == {"size": "8 x 8"}


@given(st.text())
@example("</script> & <!--")
def test_any_text_can_stand_in_the_page(text: str) -> None:
    written = json_for_page([text])
    assert not set("<>&") & set(written) and written.isascii()
    assert json.loads(written) == [text]


options = st.fixed_dictionaries(
    {"seed": st.integers(0, 2**63 - 1)},
    optional={
        "negative_prompt": st.text(max_size=20),
        "prompt_strength": st.floats(0, 100),
        "steps": st.integers(1, 1000),
        "width": st.integers(8, 100).map(lambda side: side * 8),
        "sampler_type": st.sampled_from([*SAMPLERS]),
        "schedule": st.sampled_from(get_args(Spacing)),
        "mask_modify_original": st.booleans(),
        "tile_mode": st.sampled_from(["", "x", "y", "xy"]),
        "caption_text": st.text(max_size=20),
        "variation_strength": st.floats(0, 1),
        "variation_seed": st.integers(0, 2**63 - 1),
        "model": st.sampled_from(["sd15", "/a b/c.ckpt", "a/b@c"]),
    },
)
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


@given(texts, options)
@example("--steps", {"seed": 0, "negative_prompt": "-n", "caption_text": "--"})
@example('it\'s "$(a)" `b` \\ *', {"seed": 1, "prompt_strength": 1e-7})
def test_the_command_draws_the_same(text: str, fields: dict[str, Any]) -> None:
    assume(text != "-")  # which stands for standard input
    try:
        prompt = ImaginePrompt(text, **fields)
    except BadOptionError:
        assume(False)
    command, why = imagine_command(
        {**prompt.to_dict(), "prompt_text": prompt.prompt_text}
    )
    assert why is None and command is not None
    name, *arguments = shlex.split(" ".join(command))
    params = imagine_cmd.make_context(name, arguments).params
    assert ImaginePrompt(params["prompts"][0], **fields_given(params)) == prompt


def test_what_no_command_draws() -> None:
    assert imagine_command({})[0] is None
    prompt = {"prompt_text": "a"}
    assert "embeddings" in str(imagine_command({**prompt, "conditioning": "x"})[1])
    assert "in memory" in str(imagine_command({**prompt, "init_image": "sha256:a"})[1])
