"""What a run would take, in words."""

from collections.abc import Iterator
from typing import Any

from imaginairy.cli.columns import readable
from imaginairy.cli.model_page import table
from imaginairy.sources.roles import ROLES


def lines_of(told: dict[str, Any]) -> Iterator[str]:
    """Yield what is known of a run."""
    rows = [*rows_of(told)]
    width = 2 + max(len(label) for label, _ in rows)
    for label, text in rows:
        yield from table({label: text}, width)
    yield "Nothing of it is done: this is a plan."


def rows_of(told: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the same as labels and texts."""
    for kind in told["kinds"]:
        yield "images", images_line(kind)
        yield "afterwards", ", ".join(kind["afterwards"])
    for model in told["models"]:
        role = model["role"]
        yield ROLES[role].noun if role in ROLES else role, model_line(model)
    yield "to fetch", fetch_line(told)
    yield "memory", memory_line(told)
    yield "time", time_line(told)
    images = "1 image" if told["images"] == 1 else f"{told['images']} images"
    yield "to save", f"{images} in '{told['outdir']}', as {told['extension']}"


def images_line(kind: dict[str, Any]) -> str:
    """Say how many images are drawn in a way, and in which."""
    at = kind["generated_at"]
    sizes = at if at == kind["saved_at"] else f"{at}, saved at {kind['saved_at']}"
    beside = [kind["model"], *(kind[key] for key in ("vae", "refiner") if kind[key])]
    beside += kind["text_encoders"]
    best = f", the best of {kind['best_of']} each" if kind["best_of"] > 1 else ""
    steps = "1 step" if kind["steps"] == 1 else f"{kind['steps']} steps"
    return (
        f"{kind['images']} of {sizes}: {steps} of {kind['sampler_type']}, "
        f"guidance scale {kind['prompt_strength']:g}, by {' with '.join(beside)}{best}"
    )


def model_line(model: dict[str, Any]) -> str:
    """Say where a model lies, or where it would be fetched from."""
    size = f", {readable(model['size'])}" if model["size"] else ""
    if model["path"]:
        return f"{model['name']}{size}, at {model['path']}"
    if model["origin"]:
        packing = f". {model['packing']}" if model.get("packing") else ""
        return f"{model['name']}{size}, fetched from {model['origin']}{packing}"
    return f"{model['name']}, which has no weights"


def fetch_line(told: dict[str, Any]) -> str:
    """Say how much is fetched, and whether it can be now."""
    missing = [m for m in told["models"] if m["path"] is None and m["origin"]]
    if not missing:
        return "nothing"
    known = sum(model["size"] or 0 for model in missing)
    sizes = [readable(known)] if known else []
    if told["download"] is None:
        sizes.append("what the hub does not say before")
    now = told["unreachable"]
    later = f"; it cannot be fetched now: {now}" if now else ""
    return " and ".join(sizes) + later


def memory_line(told: dict[str, Any]) -> str:
    """Say how much memory it takes, and how much there is."""
    free = told["memory_free"]
    room = f"; {readable(free)} of {told['device']} are free" if free else ""
    taking = [kind for kind in told["kinds"] if kind["memory_of_models"] is not None]
    if not taking:
        return f"not known before the model is on this machine{room}"
    most = max(
        taking, key=lambda kind: kind["memory_of_models"] + kind["memory_beside"]
    )
    weights, beside = most["memory_of_models"], most["memory_beside"]
    at_once = most["together"]
    together = f"{at_once} images at once" if at_once > 1 else "an image"
    short = free is not None and weights + beside > free
    return (
        f"about {readable(weights)} for weights in {told['computed_in']} and "
        f"{readable(beside)} for {together}{room}"
        + (", so that it is computed in parts, more slowly" if short else "")
    )


def time_line(told: dict[str, Any]) -> str:
    """Say how long it takes."""
    if told["seconds"] is None:
        return "not known: the first run with this model measures it"
    return f"about {in_time(told['seconds'])} and the start, as former runs took"


def in_time(seconds: float) -> str:
    """Return a time as people say it."""
    if seconds < 99.5:  # what is more has three digits
        return f"{seconds:.2g} s"
    if seconds < 6000:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
