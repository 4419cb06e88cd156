"""What is settled of a prompt once its model is known, before anything is generated."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from imaginairy.adapters.acting import blocks_lacking
from imaginairy.adapters.hypernetworks import hypernetworks_of
from imaginairy.adapters.word_file import require_suits
from imaginairy.adapters.words import Reader, bundled_in, read_words, words_of
from imaginairy.checks import parse_refiner
from imaginairy.embedding import WordFile
from imaginairy.enhancers import companions_needed, safety
from imaginairy.enhancers.from_outside import load_plugins
from imaginairy.errors import BadOptionError
from imaginairy.families.learned_word import LearnedWord
from imaginairy.families.table import family_named
from imaginairy.fields import options
from imaginairy.hypernetwork import HyperFile, without_hypernetworks
from imaginairy.lazy_image import as_pillow
from imaginairy.lora import Lora, without_loras
from imaginairy.models.adapters import LoadedAdapter
from imaginairy.models.loaded import LoadedModel
from imaginairy.models.previews import tiny_vae_of
from imaginairy.models.reading import read_schedule
from imaginairy.models.store import ModelStore
from imaginairy.models.words import shortened
from imaginairy.order import LIMITS, Order, filled, order_of
from imaginairy.prompt_fields.editing import DEFAULT_IMAGE_GUIDANCE
from imaginairy.prompt_syntax import remark_on
from imaginairy.samplers import made_for
from imaginairy.samplers.discrete import ScheduleConfig
from imaginairy.samplers.schedule import Schedule
from imaginairy.samplers.speeds import why_exact
from imaginairy.schema import ImaginePrompt
from imaginairy.sizes import GRID
from imaginairy.sources.roles import BESIDE
from imaginairy.sources.rows import LocalPath, ModelRow
from imaginairy.stand_ins import is_at_home, suited
from imaginairy.steps.control import controls_for
from imaginairy.steps.depth import require_depth
from imaginairy.steps.hints import require_mask
from imaginairy.steps.image_prompt import image_prompts_for
from imaginairy.steps.seen_beside import seen_beside
from imaginairy.suiting import (
    require_prediction,
    require_references,
    require_steps,
    require_suitable,
)
from imaginairy.word_signs import without_words


def settled(prompt: ImaginePrompt, store: ModelStore) -> Order:
    """Return what is drawn for a prompt; name what of it says nothing.

    The models that it needs are there then: the one that draws is loaded, and those
    that its enhancers use are checked, so that what is missing or broken is said before
    all the work; they are loaded when they are used.

    Raises:
        ForeignPictureError: a model beside the one that draws cannot be had.
        ImaginairyError: a model or the init image is not as it should be.
    """
    safety.safety_mode()  # a bad one is refused before anything is loaded
    load_plugins(prompt)
    loaded = loaded_for(prompt, store)
    require_suitable(prompt, loaded)
    diffusion = loaded.diffusion
    acting = adapters_for(prompt, loaded, store)
    spec = store.adapters.with_defaults(loaded.spec, diffusion.family.name, acting)
    prompt, seen = seen_beside(prompt, diffusion.family)
    chooses = len(diffusion.family.empty_negatives) > 1
    whole = filled(
        prompt,
        spec,
        clip_skip=diffusion.clip_skip,
        empty_negative=diffusion.empty_negative if chooses else None,
    )
    controls = controls_for(prompt, loaded, store)
    images = image_prompts_for(prompt, loaded, store)
    bundled = bundled_in(each.adapter for each, _ in acting)
    words = words_read(whole, loaded, store, bundled)
    found, hypernetworks = hypernetworks_found(whole, loaded)
    loras = tuple(lora for _, lora in acting)
    whole = replace(
        whole,
        **loaded.beside,
        loras=loras[: len(prompt.loras)],
        hypernetworks=hypernetworks,
        embeddings=tuple(each.given for each in words),
    )
    names = [name for file in words for name in file.names]
    names += [name for word in bundled for name in word.names]
    names += [word for each, _ in acting for word in each.all_words]
    tell_what_is_passed_over(whole, loaded, store, names)
    whole = replace(whole, refiner=refiner_beside(loaded, whole.refiner, store, words))
    whole, scale = with_companions(prompt, whole, spec, store)
    order = order_of(
        with_image_guidance(whole, loaded),
        spec,
        scale=scale,
        step=diffusion.grid.step,
        spacings=diffusion.schedule.spacings,
        kind=diffusion.schedule.kind,
        edits=diffusion.edits,
    )
    order = replace(order, loras=loras, words=words, hypernetworks=found)
    order = replace(order, controls=controls, image_prompts=images)
    order = replace(order, decoder=decoder_for(whole, loaded, store), references=seen)
    say_where_nothing_is_left_out(order, store)
    require_drawable(order, loaded, store)
    return order


def loaded_for(prompt: ImaginePrompt, store: ModelStore) -> LoadedModel:
    """Return the model that draws a prompt, with the parts that it gives it."""
    texts = prompt.text_encoders
    return store.get(prompt.model, vae=prompt.vae, text_encoders=texts)


def with_image_guidance(prompt: ImaginePrompt, loaded: LoadedModel) -> ImaginePrompt:
    """Return a prompt with the usual guidance by its picture, where a model edits."""
    if loaded.diffusion.edits and prompt.image_guidance is None:
        return replace(prompt, image_guidance=DEFAULT_IMAGE_GUIDANCE)
    return prompt


def require_drawable(order: Order, loaded: LoadedModel, store: ModelStore) -> None:
    """Check that what draws an order can do what it asks for.

    Raises:
        BadOptionError: it cannot, or lacks what it needs.
    """
    schedule, prediction = loaded.diffusion.schedule, order.prompt.prediction
    refiner = [store.refiner(order.refiner[0])] if order.refiner else []
    require_steps(order)
    require_mask(order)
    require_depth(order.prompt, loaded, *refiner)
    made_for(schedule.kind, order.sampler)
    schedule.require(order.spacing)
    if prediction and schedule.kind != "discrete":
        require_prediction(prediction, loaded)


def words_read(
    prompt: ImaginePrompt,
    loaded: LoadedModel,
    store: ModelStore,
    bundled: Sequence[LearnedWord],
) -> tuple[WordFile, ...]:
    """Return the learned words that a prompt is read with; see `words_of`."""

    def say(sentence: str) -> None:
        store.say_once(sentence, about=sentence)

    home = home_of(loaded.spec)
    folders = store.adapters.folders
    reader = Reader(loaded.diffusion, loaded.spec.name, home, say, folders)
    for word in bundled:
        name = f"the LoRA's '{word.name}'"
        require_suits(word, name, loaded.diffusion, loaded.spec.name)
    return words_of(prompt.embeddings, texts_read(prompt), reader, bundled)


def hypernetworks_found(
    prompt: ImaginePrompt, loaded: LoadedModel
) -> tuple[tuple[HyperFile, ...], tuple[str, ...]]:
    """Return the hypernetworks of a prompt, and how those of its field are recorded."""
    asked, home = prompt.all_hypernetworks, home_of(loaded.spec)
    found = hypernetworks_of(asked, loaded.diffusion, loaded.spec.name, home)
    given = found[: len(prompt.hypernetworks)]
    return found, tuple(f"{each.name}={each.weight!r}" for each in given)


def home_of(spec: ModelRow) -> Path | None:
    """Return the file or folder that a model lies in, where that is the user's."""
    return spec.weights.path if isinstance(spec.weights, LocalPath) else None


def texts_read(prompt: ImaginePrompt) -> tuple[str, ...]:
    """Return the texts that have a part in the picture."""
    followed = [] if prompt.conditioning is not None else prompt.prompts
    avoided = [] if prompt.prompt_strength == 1 else [prompt.negative_prompt]
    return *(without_loras(part.text) for part in followed), *avoided


def adapters_for(
    prompt: ImaginePrompt, loaded: LoadedModel, store: ModelStore
) -> list[tuple[LoadedAdapter, Lora]]:
    """Return the adapters that a prompt asks for, each with a place in the model.

    Raises:
        UnknownModelError: nothing goes by the name of one.
        CheckpointError: one is for other models, or no adapter.
        DownloadError: one could not be fetched.
    """
    found = []
    for lora in prompt.all_loras:
        adapter = store.adapters.get(lora.name, loaded.spec)
        places = adapter.adapter.found_in(loaded.diffusion)
        if lacking := blocks_lacking(places, lora):
            store.say_once(lacking, about=lacking)
        store.adapters.tell(adapter, [part.text for part in prompt.prompts])
        found.append((adapter, lora.called(adapter.name)))
    return found


def settled_unseen(prompt: ImaginePrompt, store: ModelStore) -> Order:
    """Return what is drawn for a prompt whose model is not on this machine yet.

    It is by the defaults that are known of that: its files may say others.
    """
    safety.safety_mode()
    load_plugins(prompt)
    spec = store.locate(prompt.model)
    family, schedule = family_named(spec.family), usual_schedule(spec)
    if family is not None:
        require_references(prompt, spec, family)
    prompt, references = seen_beside(prompt, family)
    whole, scale = with_companions(prompt, filled(prompt, spec), spec, store)
    order = order_of(
        whole,
        spec,
        scale=scale,
        step=family.grid.step if family else GRID,
        spacings=schedule.spacings,
        kind=schedule.kind,
    )
    made_for(schedule.kind, order.sampler)
    schedule.require(order.spacing)
    return replace(order, references=references)


def usual_schedule(spec: ModelRow) -> Schedule:
    """Return the schedule that is usual for models of a row's family."""
    family = family_named(spec.family)
    if family is None:
        return ScheduleConfig().made()
    return read_schedule(Path(spec.name), family, spec.says).made()


def with_companions(
    prompt: ImaginePrompt, whole: ImaginePrompt, spec: ModelRow, store: ModelStore
) -> tuple[ImaginePrompt, int]:
    """Choose and check the models beside the one that draws.

    Args:
        prompt: as it was given.
        whole: the same with every default filled in.

    Returns:
        The latter with their names, and how many times as large its upscaler makes it.
    """
    whole = replace(whole, **suited_models(prompt, whole, spec, store))
    for role, name in companions_needed(whole):
        store.check(role, name)
    safety.prepare(whole, store)
    scale = store.check("upscaler", whole.upscaler).scale if whole.upscale else 1
    return whole, scale


def decoder_for(
    prompt: ImaginePrompt, loaded: LoadedModel, store: ModelStore
) -> str | None:
    """Return the name of the tiny VAE that decodes for a model, loaded beside it.

    Raises:
        BadOptionError: none is known for it, though a prompt asks for one.
    """
    if not prompt.fast_decode:
        return None
    row = tiny_vae_of(loaded)
    if row is None:
        raise BadOptionError(
            f"No tiny VAE is known for the model '{loaded.spec.name}', so nothing "
            "decodes fast; give one of its own with vae, or leave fast_decode out."
        )
    store.get(loaded.spec.name, decoder=row.name, **loaded.beside)
    return row.name


def say_where_nothing_is_left_out(order: Order, store: ModelStore) -> None:
    """Say once why a picture that may be computed in part is computed whole."""
    asked = order.prompt.speed
    if asked != order.speed.name:
        why = why_exact(order.sampler, order.steps_to_run)
        said = f"The speed '{asked}' leaves nothing out here: {why}."
        store.say_once(said, about=said)


def refiner_beside(
    loaded: LoadedModel,
    refiner: str | None,
    store: ModelStore,
    words: Sequence[WordFile] = (),
) -> str | None:
    """Return a refiner by its own name, loaded beside the model whose pictures it gets.

    Raises:
        BadOptionError: it draws latents of another kind.
        CheckpointError: it cannot read one of the learned words.
    """
    if refiner is None:
        return None
    name, share = parse_refiner(refiner)
    second = store.refiner(name)
    latents, others = (each.diffusion.latents_are for each in (loaded, second))
    if latents != others:
        raise BadOptionError(
            f"The refiner '{second.spec.name}' draws latents of {others}, and "
            f"'{loaded.spec.name}' those of {latents}; give a refiner that goes on "
            "with these, or leave it out."
        )
    for file, word in zip(words, read_words(words), strict=True):
        require_suits(word, str(file.path), second.diffusion, second.spec.name)
    return f"{second.spec.name}@{share:g}"


def suited_models(
    prompt: ImaginePrompt, whole: ImaginePrompt, spec: ModelRow, store: ModelStore
) -> dict[str, Any]:
    """Choose the models beside the one that draws where none was named, by field.

    What the bundled model draws of text alone is of its world, and so is what it draws
    of a picture of that: the small models beside it know it best. What it draws of any
    other picture shows that too, so it is judged by that one; so are masks of any
    model's.
    """
    image = None if whole.init_image is None else as_pillow(whole.init_image)
    bundled = spec.defaults.companions == "bundled"
    chosen: dict[str, Any] = {}
    if bundled and (image is None or is_at_home(image)):
        return chosen
    for role, row in BESIDE.items():
        field = row.option or ""
        if not getattr(whole, field, None) or getattr(prompt, field):
            continue
        subject = image if bundled or role == "mask" else None
        chosen[field] = suited(store, role, None, subject)
    return chosen


def tell_what_is_passed_over(
    prompt: ImaginePrompt,
    loaded: LoadedModel,
    store: ModelStore,
    names: Sequence[str] = (),
) -> None:
    """Name what of the texts has no part in the picture, once for each prompt.

    Args:
        names: learned words, and those that LoRAs answer to.
    """
    texts = tuple(
        without_words(without_hypernetworks(text), names) for text in texts_read(prompt)
    )
    if remark := remark_on(texts):
        said = f"The prompt has syntax of other tools that does nothing here: {remark}."
        store.say_once(said, about=said)
    if loaded.diffusion.reads_guidance:
        say_what_guidance_passes_over(prompt, loaded, store)
    if loaded.words and (unknown := loaded.words.unknown(texts)):
        said = f"{loaded.spec.name} does not know: {shortened(unknown)}"
        store.say_once(said, about=texts)


def say_what_guidance_passes_over(
    prompt: ImaginePrompt, loaded: LoadedModel, store: ModelStore
) -> None:
    """Name what has no part where the network reads the guidance scale by itself."""
    known = options(prompt)
    idle = [
        name
        for name in ("negative_prompt", *LIMITS)
        if known[name].is_set(getattr(prompt, name))
    ]
    if idle:
        said = (
            f"{loaded.spec.name} reads the guidance scale as a number and avoids "
            f"nothing, so this does nothing here: {', '.join(idle)}."
        )
        store.say_once(said, about=said)
