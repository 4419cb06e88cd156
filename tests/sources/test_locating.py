"""Which model a name means: a row, a path, a repository, or none."""

from pathlib import Path

import pytest
from platformdirs import user_cache_path

from imaginairy.errors import BadOptionError, UnknownModelError
from imaginairy.families.table import FAMILIES
from imaginairy.sources import hub
from imaginairy.sources.catalog import MODELS, find, known, models_for
from imaginairy.sources.drawing_rows import CLIP_TOKENIZER
from imaginairy.sources.fetch import own_folder
from imaginairy.sources.locate import default_model, locate
from imaginairy.sources.own_default import VARIABLE
from imaginairy.sources.roles import DRAWS, GENERATE, WITH_MODEL
from imaginairy.sources.rows import (
    BUNDLED_FOLDER,
    BundledFolder,
    HubFile,
    HubRepo,
    LocalPath,
    WebFile,
)
from tests.support.hub_client import Client


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("sd15", "sd15"),
        ("SD-1.5", "sd15"),
        ("Stable-Diffusion-1.4", "sd14"),
        ("inpainting", "sd15-inpainting"),
        ("BUNDLED", "storybook"),
        ("SDXL", "sdxl"),
        ("sd-2.1", "sd21"),
    ],
)
def test_rows_go_by_name_and_alias_in_any_case(name: str, row: str) -> None:
    assert locate(DRAWS, name).name == row
    assert find(DRAWS, name) is known(DRAWS, name) is locate(DRAWS, name)


def test_no_two_rows_go_by_one_name() -> None:
    names = [name for spec in models_for(DRAWS) for name in (spec.name, *spec.aliases)]
    assert len(set(names)) == len(names)
    assert all(name == name.lower() for name in names)


def test_a_row_comes_before_a_path_and_a_path_before_a_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "someone" / "model").mkdir(parents=True)
    (tmp_path / "sd15").mkdir()
    assert isinstance(locate(DRAWS, "sd15").weights, HubFile)
    assert locate(DRAWS, "./sd15").weights == LocalPath(Path("sd15"))
    for name in ("someone/model", Path("someone/model"), "~/someone/model"):
        spec = locate(DRAWS, name)  # type: ignore[arg-type]
        assert isinstance(spec.weights, LocalPath)
        assert spec.name == str(tmp_path / "someone" / "model")
        assert spec.licence == "as stated by whoever made it"


@pytest.mark.parametrize(
    ("name", "repo", "revision"),
    [
        ("owner/repo", "owner/repo", "main"),
        ("owner/re.po-1_0@v1.0", "owner/re.po-1_0", "v1.0"),
        ("owner/repo@refs/pr/3", "owner/repo", "refs/pr/3"),
    ],
)
def test_a_repository_is_that_of_its_revision(
    name: str, repo: str, revision: str
) -> None:
    spec = locate(DRAWS, name)
    assert spec.name == name
    assert spec.weights == HubRepo(repo, revision)
    assert spec.licence == "see its page on the hub"


@pytest.mark.parametrize(
    "name",
    ["a/b/c", "owner/", "a/my model", "a/b.safetensors", "a/b.ckpt", "../no", "sd155"],
)
def test_other_names_are_refused_with_what_there_is(name: str) -> None:
    with pytest.raises(UnknownModelError) as refused:
        locate(DRAWS, name)
    near = " Did you mean 'sd15'?" if name == "sd155" else ""
    assert str(refused.value) == (
        f"There is no model '{name}'; give one of sd15, sd15-inpainting, sd14, "
        "instruct-pix2pix, sdxl-instruct-pix2pix, "
        "storybook, storybook-flow, "
        "sd21, sd2-depth, sd-turbo, sdxl, sdxl-inpainting, sdxl-refiner, "
        "sdxl-turbo, "
        "sdxl-lightning-2step, sdxl-lightning-4step, sdxl-lightning-8step, lcm-sdxl, "
        "lcm-dreamshaper, ssd-1b, lcm-ssd-1b, vega, "
        "z-image-turbo, flux2-klein-4b, flux1-schnell, chroma1-hd, "
        f"the path of a checkpoint file or folder, or a repository as owner/repo.{near}"
    )


def test_other_roles_are_refused_with_what_there_is() -> None:
    with pytest.raises(BadOptionError) as refused:
        locate("upscalar", None)
    assert str(refused.value) == (
        "Models have no role 'upscalar'; roles are: draws, vae, text-encoder, control, "
        "image-prompt, image-encoder, mask, "
        "upscaler, face-detector, face-restorer, captioner, similarity, depth, "
        "soft-edges, segmenter, pose, person-detector, safety. Did "
        "you mean 'upscaler'?"
    )


def test_a_default_that_there_is_not_says_who_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(VARIABLE, "sd155")
    with pytest.raises(UnknownModelError) as refused:
        locate(DRAWS, None)
    said = str(refused.value)
    assert said.startswith(f"The default model, as {VARIABLE} says: There is no model")
    assert said.endswith(f" Or take it back: unset {VARIABLE}.")
    monkeypatch.setenv(VARIABLE, "sd14")
    assert locate(DRAWS, None).name == "sd14"


@pytest.mark.parametrize("name", ["", "  ", 3, None.__class__])
def test_what_is_no_name_is_refused(name: object) -> None:
    with pytest.raises(UnknownModelError) as refused:
        locate(DRAWS, name)  # type: ignore[arg-type]
    assert str(refused.value) == f"A model goes by a name or a path, not {name!r}."


def test_the_folder_of_a_model_s_own(tmp_path: Path, client: Client) -> None:
    """One file of a repository, beside others, has none."""
    assert own_folder(known(DRAWS, "storybook")) == BUNDLED_FOLDER / "storybook"
    assert own_folder(locate(DRAWS, str(tmp_path))) == tmp_path
    (tmp_path / "a.ckpt").touch()
    assert own_folder(locate(DRAWS, str(tmp_path / "a.ckpt"))) is None
    assert own_folder(known(DRAWS, "sd15")) is None
    with client.here():
        assert own_folder(locate(DRAWS, "someone/some-model")) is None
        folder = hub.fetch_many("someone/some-model", ["model_index.json"])
        assert own_folder(locate(DRAWS, "someone/some-model")) == folder
        assert own_folder(locate(DRAWS, "someone/some-model@v2")) is None


def test_published_rows_are_those_that_were_published() -> None:
    """By what their pages state: the file, its size and the start of its sum."""
    stated = {
        "sd15": ("v1-5-pruned-emaonly.safetensors", 4_265_146_304, "6ce0161689b38"),
        "sd15-inpainting": ("sd-v1-5-inpainting.ckpt", 4_265_437_280, "c6bbc15e3224e"),
        "sd14": ("sd-v1-4.ckpt", 4_265_380_512, "fe4efff1e174c"),
        "sd21": ("v2-1_768-ema-pruned.safetensors", 5_214_604_494, "dcd690123cfc6"),
        "sdxl": ("sd_xl_base_1.0.safetensors", 6_938_078_334, "31e35c80fc482"),
        "sdxl-refiner": (
            "sd_xl_refiner_1.0.safetensors",
            6_075_981_930,
            "7440042bbdc8a",
        ),
    }
    usual = 512, 40, 7.5, "plms"
    others = {"sd21": (768, *usual[1:])}
    others |= dict.fromkeys(("sdxl", "sdxl-refiner"), (1024, 30, 6.0, "k_dpmpp_2m"))
    for name, (file, size, start) in stated.items():
        spec = known(DRAWS, name)
        does = spec.defaults
        assert isinstance(spec.weights, HubFile) and spec.weights.sha256
        assert (spec.weights.path, spec.weights.size) == (file, size)
        assert spec.weights.sha256.startswith(start)
        assert does.width == does.height
        own = does.width, does.steps, does.prompt_strength, does.sampler
        assert own == others.get(name, usual)
        assert (does.reach, does.upscales, does.companions) == (
            (2.25, False, "published")
        )
    assert CLIP_TOKENIZER.size == 2_224_003


@pytest.mark.parametrize(
    ("name", "repo"),
    [
        ("sd-turbo", "stabilityai/sd-turbo"),
        ("sdxl-turbo", "stabilityai/sdxl-turbo"),
        ("sdxl-inpainting", "diffusers/stable-diffusion-xl-1.0-inpainting-0.1"),
    ],
)
def test_some_rows_are_folders_of_the_hub(name: str, repo: str) -> None:
    spec = known(DRAWS, name)
    assert spec.weights == HubRepo(repo)
    does = spec.defaults
    if "turbo" in name:
        assert (does.width, does.steps, does.sampler) == (512, 4, "k_euler_a")
        assert does.prompt_strength == 1
        assert "licence" in spec.notice
    else:
        assert (does.width, does.steps, spec.notice) == (1024, 30, "")


def test_rows_that_draw_are_of_a_family_that_there_is() -> None:
    families = {family.name for family in FAMILIES}
    assert {row.family for row in models_for(DRAWS)} == families
    of_none = (row.family for row in MODELS if row.role not in GENERATE)
    assert not any(of_none)
    for role in WITH_MODEL:
        assert {row.family for row in models_for(role)} <= families


def test_a_file_of_the_web_goes_by_its_own_name() -> None:
    file = WebFile("https://example.org:8080/a/b/c.pth", 1, "0" * 64)
    assert (file.name, file.server) == ("c.pth", "https://example.org:8080")
    assert BundledFolder("x").path == BUNDLED_FOLDER / "x"


def put_into_cache(home: Path, file: HubFile) -> None:
    """Let a file lie where the hub's client has it, were it only a byte."""
    folder = home / "hub" / f"models--{file.repo.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / file.revision).write_text("c0ffee\n")
    place = folder / "snapshots" / "c0ffee" / file.path
    place.parent.mkdir(parents=True)
    place.write_bytes(b"x")


def test_without_a_name_it_is_sd15_where_that_is_there_or_to_be_had(
    client: Client, closed_port: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Its vocabulary has to be there, too."""
    weights = known(DRAWS, "sd15").weights
    assert isinstance(weights, HubFile)
    with client.here():
        assert default_model() is locate(DRAWS, None) is known(DRAWS, "sd15")
    client.endpoint = closed_port
    with client.here():
        assert default_model().name == "storybook"
        [said] = caplog.messages
        assert said == (
            "Stable Diffusion 1.5 is not on this machine and cannot be fetched "
            f"(connection refused ({closed_port})); drawing with the bundled model, "
            "storybook."
        )
        put_into_cache(client.home, weights)
        assert default_model().name == "storybook"
        assert (user_cache_path("imaginairy") / "said" / "model").exists()
        put_into_cache(client.home, CLIP_TOKENIZER)
        assert default_model().name == "sd15"
        assert not (user_cache_path("imaginairy") / "said" / "model").exists()


def test_distilled_models_draw_in_few_steps() -> None:
    for steps in (2, 4, 8):
        spec = known(DRAWS, f"sdxl-lightning-{steps}step")
        assert spec.defaults.described == (
            f"{steps} steps of k_euler, schedule trailing, guidance scale 1"
        )
        assert spec.weights == HubFile(
            "ByteDance/SDXL-Lightning", f"sdxl_lightning_{steps}step.safetensors"
        )
        assert spec.defaults.native_size == (1024, 1024)
    assert known(DRAWS, "sdxl-lightning").defaults.steps == 4
    for name in ("lcm-sdxl", "lcm-dreamshaper", "lcm-ssd-1b"):
        said = known(DRAWS, name).defaults.described
        assert said == "4 steps of k_lcm, guidance scale 8", name
    for name in ("ssd-1b", "vega"):
        spec = known(DRAWS, name)
        assert spec.licence == "Apache-2.0"
        assert spec.defaults == known(DRAWS, "sdxl").defaults


def test_a_network_alone_takes_its_other_parts_from_another_row() -> None:
    over = {row.name: row.over for row in models_for(DRAWS) if row.over}
    assert over == {"lcm-sdxl": "sdxl", "lcm-ssd-1b": "ssd-1b"}
    for name, base in over.items():
        assert known(DRAWS, base).family == known(DRAWS, name).family


def test_a_file_may_be_laid_over_a_model(tmp_path: Path) -> None:
    file, whole = tmp_path / "unet.safetensors", tmp_path / "a+b.safetensors"
    file.write_bytes(b"x")
    whole.write_bytes(b"x")
    spec = locate(DRAWS, f"{file}+SDXL")
    assert (spec.weights, spec.over) == (LocalPath(file), "sdxl")
    assert spec.name == f"{file.resolve()}+sdxl"
    assert locate(DRAWS, spec.name) == spec
    assert locate(DRAWS, str(whole)).over == "", "a name with a sign in it"
    both = locate(DRAWS, f"{whole}+me/mine@v2")
    assert (both.weights, both.over) == (LocalPath(whole), "me/mine@v2")
    with pytest.raises(UnknownModelError, match=r"'sdlx'.*Did you mean 'sdxl'"):
        locate(DRAWS, f"{file}+sdlx")
    for name in ("+sdxl", f"{file}+"):
        with pytest.raises(UnknownModelError, match="There is no model"):
            locate(DRAWS, name)
    with pytest.raises(UnknownModelError, match=r"no model 'nothing\+sdxl'"):
        locate(DRAWS, "nothing+sdxl")
    with pytest.raises(UnknownModelError, match=r"no mask model '.*\+clipseg'"):
        locate("mask", f"{file}+clipseg")
