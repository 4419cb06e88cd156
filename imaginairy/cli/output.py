"""How pictures are saved and told of, and what a run needs: what no prompt says."""

import json
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from imaginairy.checks import Choice, parse_refiner
from imaginairy.cli.jobs import Plan
from imaginairy.cli.provenance import asked_provenance
from imaginairy.cli.show import show_picture
from imaginairy.cli.size import Size
from imaginairy.embedding import parse_embedding
from imaginairy.errors import BadOptionError
from imaginairy.fleet.places import AUTO, DEVICE_KINDS, workers_asked
from imaginairy.hypernetwork import parse_hypernetwork
from imaginairy.lazy_image import LazyLoadingImage, is_of_web
from imaginairy.places import require_places
from imaginairy.schema import ImaginePrompt

if TYPE_CHECKING:
    from imaginairy.metadata.credentials import Provenance
    from imaginairy.models.store import ModelStore
    from imaginairy.outputs import SaveOptions


NOT_PUBLISHED = {
    "grid": "--grid",
    "compilation": "--compilation-anim",
    "show_work": "--show-work",
    "preview": "--preview",
    "gif": "--gif",
    "compare_gif": "--compare-gif",
    "show": "--show",
}
"""What needs the images of a run as files of a folder."""


class Saved(NamedTuple):
    """A picture that was saved, now or by an earlier run."""

    path: Path
    metadata: Callable[[], dict[str, Any]]
    """Gives what made it, as its file says unless it is to say nothing."""
    is_new: bool = True


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """How pictures are drawn, saved and told of; the options that are no prompt's."""

    outdir: Path
    extension: str
    grid: bool
    compilation: str | None
    show_work: bool
    preview: bool
    gif: bool
    compare_gif: bool
    as_json: bool
    show: bool
    provenance: "Provenance"
    size: Size | None
    batch_size: int | None
    quiet: bool
    resume: bool
    plan: bool
    workers: str = "1"
    output: str | None = None
    """Where images are published by their ids, in place of `outdir`."""
    output_kind: str | None = None
    ray: str | None = None
    """The cluster on which they are generated; None for this machine."""
    device: str | None = None

    def __post_init__(self) -> None:
        self._require_published_alone()
        self._require_cluster()
        if self.as_json and self.show:
            raise BadOptionError(
                "--json and --show both write to standard output; give one of them."
            )
        if workers_asked(self.workers) != 1 and self.preview:
            raise BadOptionError(
                "--preview shows the image that is generated, and --workers generates "
                "several at once; give one of them."
            )

    @classmethod
    def asked(cls, options: dict[str, Any]) -> "Drawing":
        """Take what a command was given.

        Raises:
            BadOptionError: it cannot be signed, or not all be printed.
        """
        usual = AUTO if options.get("ray") else "1"
        options = {
            **options,
            "provenance": asked_provenance(options),
            "workers": options.get("workers") or usual,
        }
        names = [each.name for each in fields(cls) if each.name in options]
        return cls(**{name: options[name] for name in names})

    def _require_cluster(self) -> None:
        """Refuse what cannot be had of a cluster."""
        if self.ray is None:
            return

        from imaginairy.fleet.ray_cluster import require_package, settled

        require_package()
        settled(self.ray)
        if self.output is None:
            raise BadOptionError(
                "--ray generates where many machines publish; give --output too."
            )
        if self.device is None:
            return
        kind, number, _ = self.device.partition(":")
        if number:
            raise BadOptionError(
                f"--ray gives each worker a device of its own, not '{self.device}'; "
                "leave the number out."
            )
        Choice(DEVICE_KINDS)("device", kind)

    @property
    def device_here(self) -> str | None:
        """The device of this machine; None for any, where others generate."""
        return self.device if self.ray in (None, "local") else None

    def _require_published_alone(self) -> None:
        """Refuse what cannot be had of images that are published."""
        if self.output is None:
            if self.output_kind is not None:
                raise BadOptionError(
                    "--output-kind says how --output holds the images; give both."
                )
            return
        for name, value in vars(self).items():
            if name in NOT_PUBLISHED and value:
                raise BadOptionError(
                    f"--output publishes the images and nothing beside them; leave "
                    f"{NOT_PUBLISHED[name]} out, or give --outdir."
                )
        if self.resume:
            raise BadOptionError(
                "--output goes on with what is there without --resume; leave it out."
            )

    @property
    def saving(self) -> "SaveOptions":
        """What is saved for each picture."""
        from imaginairy.outputs import SaveOptions

        return SaveOptions(
            self.extension,
            self.show_work,
            self.gif,
            compare_gif=self.compare_gif,
            provenance=self.provenance,
        )

    def saving_as(self, extension: str | None) -> "SaveOptions":
        """What is saved for a picture whose file has an ending of its own."""
        return replace(self.saving, extension=extension or self.extension)

    def tell(self, saved: Saved, **more: Any) -> None:
        """Print or show a picture that was saved, where that was asked for."""
        if self.as_json:
            said = {"path": str(saved.path), **saved.metadata(), **more}
            click.echo(json.dumps(said))
        if self.show and saved.is_new:
            show_picture(saved.path)


class Needs:
    """The models, enhancers, images and folders of a run; each is noted once.

    Raises:
        BadOptionError: a prompt cannot be drawn, or there is nothing to compare with.
    """

    def __init__(self, plan: Plan, drawing: Drawing) -> None:
        from imaginairy.outputs import Room

        self.drawing = drawing
        self._room = Room(drawing.outdir, drawing.saving)
        self._models: dict[str | None, None] = {}
        self._enhanced: dict[tuple[str, ...], ImaginePrompt] = {}
        self._images: dict[LazyLoadingImage, None] = {}
        self._adapters: dict[tuple[str, str, str | None], None] = {}
        for job in plan.samples():
            self._add(job.prompt)

    def _add(self, prompt: ImaginePrompt) -> None:
        if self.drawing.compare_gif and prompt.made_from is None:
            raise BadOptionError("--compare-gif needs an --init-image to compare with.")
        self._room.add(prompt)
        self._models[prompt.model] = None
        if prompt.refiner is not None:
            self._models[parse_refiner(prompt.refiner)[0]] = None
        self._enhanced.setdefault(prompt.enhance, prompt)
        for kind, names in adapters_named(prompt).items():
            for name in names:
                self._adapters[kind, name, prompt.model] = None
        of_controls = (each.image for each in prompt.controls)
        named = (prompt.init_image, prompt.mask_image, prompt.control_image,
                 prompt.depth_image, *prompt.reference_images)  # fmt: skip
        prompts = ((each.image, each.mask) for each in prompt.image_prompts)
        of_prompts = (image for both in prompts for image in both)
        for image in (*named, *of_controls, *of_prompts):
            if isinstance(image, LazyLoadingImage):
                self._images[image] = None

    def require(self, store: "ModelStore") -> None:
        """Find all models, import all plug-ins and read all images, before any work.

        Where no more than a plan is asked for, images of the web are not fetched.

        Raises:
            BadOptionError: an enhancer of another package, or a folder, cannot be used.
            CannotSaveError: there is too little space.
            UnknownModelError: there is no model, or adapter, of a name that is asked
                for.
            BadImageError: an image cannot be read.
            DownloadError: one could not be fetched.
        """
        from imaginairy.enhancers.from_outside import load_plugins

        outdir, drawing = self.drawing.outdir, self.drawing
        sheets = {"grids": drawing.grid, "compilations": drawing.compilation}
        require_places(outdir / kind for kind, wanted in sheets.items() if wanted)
        if drawing.output is None:
            self._room.require()
        for prompt in self._enhanced.values():
            load_plugins(prompt)
        for name in self._models:
            store.locate(name)
        for kind, name, model in self._adapters:
            store.adapters.locate(name, store.locate(model), kind)
        for image in self._images:
            if not (self.drawing.plan and is_of_web(image.address)):
                image.require_readable()


def adapters_named(prompt: ImaginePrompt) -> dict[str, list[str]]:
    """Return the names of the adapters that a prompt asks for, by their kind."""
    hypernetworks = prompt.all_hypernetworks
    return {
        "LoRA": [lora.name for lora in prompt.all_loras],
        "learned word": [parse_embedding(each)[1] for each in prompt.embeddings],
        "hypernetwork": [parse_hypernetwork(each)[0] for each in hypernetworks],
    }
