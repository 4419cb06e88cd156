"""Who owns the loaded models."""

import os
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from threading import RLock
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from imaginairy.device import (
    LOADED_IN,
    choose_device,
    choose_dtype,
    compute_after_fork,
    is_forked,
    let_go,
)
from imaginairy.economy import LITTLE, Economy
from imaginairy.errors import (
    BadOptionError,
    DownloadError,
    NotEnoughMemoryError,
    UnknownModelError,
    in_words,
    memory_told,
)
from imaginairy.families.family import function
from imaginairy.log import log
from imaginairy.memory import wants_low_memory
from imaginairy.models.adapters import HeldAdapters
from imaginairy.models.checkpoint import Checkpoint
from imaginairy.models.controls import HeldControls
from imaginairy.models.drawing import DrawingModel
from imaginairy.models.held import DECODES, REFINES, Kept, kept
from imaginairy.models.image_prompts import HeldImagePrompts
from imaginairy.models.loaded import LoadedModel
from imaginairy.models.loaders import LOADERS
from imaginairy.models.loading import load, opened
from imaginairy.models.own_defaults import with_asked_defaults, with_own_defaults
from imaginairy.models.room import packed_for
from imaginairy.models.vae import load_vae, with_vae
from imaginairy.precision import Precision, usual_precision
from imaginairy.said import Told, warn_once
from imaginairy.sources.lacking import Missing, missing
from imaginairy.sources.locate import locate, named
from imaginairy.sources.own_default import OwnDefault, own_default
from imaginairy.sources.roles import (
    DRAWS,
    ROLES,
    TEXT_ENCODER,
    VAE,
    WITH_MODEL,
    role_named,
)
from imaginairy.sources.rows import LocalPath, ModelRow
from imaginairy.text_encoder import text_encoders as given_texts

if TYPE_CHECKING:
    from imaginairy.models.captioning import Captioner
    from imaginairy.models.faces import FaceDetector, FaceRestorer
    from imaginairy.models.safety import SafetyChecker
    from imaginairy.models.segmentation import Segmenter
    from imaginairy.models.similarity import Comparer
    from imaginairy.models.upscaler import Upscaler

T = TypeVar("T")

WITHOUT_WEIGHTS = torch.device("meta")
"""Where tensors have a shape and a type, and no values that would take memory."""
ASK_AGAIN_S = 60.0
"""Seconds for which it is remembered whether a published model can be had."""


class ModelStore:
    """Loads models when they are asked for and keeps the last one for each role.

    Threads may share one: an image holds it while it is generated (`in_use`), and
    others wait, so that each comes out as it does alone.

    Args:
        device: `cuda`, `cuda:1`, `mps` or `cpu`; None takes the fastest there is.
        precision: `autocast` computes in what the device is fastest in, `full` in
            float32; None takes what `IMAGINAIRY_PRECISION` says, or else `autocast`.
        low_memory: take little memory, and time; None asks `IMAGINAIRY_LOW_MEMORY`.
        learning: whether adapters are learnt with its models, which `autocast` computes
            in bfloat16 then, or in float32 where the device has no units for it.
    """

    def __init__(
        self,
        device: str | None = None,
        precision: Precision | None = None,
        *,
        low_memory: bool | None = None,
        learning: bool = False,
    ) -> None:
        self.device = choose_device(device)
        self.precision = usual_precision() if precision is None else precision
        self.dtype = choose_dtype(self.device, self.precision, learning=learning)
        self.adapters, self.controls = HeldAdapters(), HeldControls()
        self.image_prompts = HeldImagePrompts()
        self.low_memory = low = wants_low_memory(low_memory)
        self.economy = Economy(self.device, LITTLE if low else None)
        self.free: int | None = None  # bytes, where others take their share too
        self._lock, self._lock_of = RLock(), LOADED_IN
        self._located: dict[tuple[str, str | OwnDefault | None], ModelRow] = {}
        self._held, self._checked = Kept(), Kept()
        self._told = Told()
        self._refused: dict[str, str | None] = {}
        self._lacking: dict[str, tuple[float, Missing | None]] = {}

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Hold the models while something is computed with them; other threads wait.

        What is set on networks for one image, such as tiling, is seen by no other.
        A process that was forked from the one that loaded torch computes with one
        thread, which is said once.

        Raises:
            DeviceError: this process was forked, and the device is no CPU.
            NotEnoughMemoryError: what is computed needs more than there is.
        """
        if is_forked():
            compute_after_fork(self.device)
            if self._lock_of != os.getpid():  # whoever held it is not in this process
                self._lock, self._lock_of = RLock(), os.getpid()
                log.warning(
                    "This process was forked after torch was loaded and computes with "
                    "one thread; processes that are spawned use all."
                )
        says = partial(NotEnoughMemoryError.on, self.device)
        with self._lock, memory_told(says):
            yield

    @property
    def can_learn(self) -> bool:
        """Whether its numbers are of a range that adapters can be learnt in."""
        return self.dtype != torch.float16

    @property
    def loaded_roles(self) -> frozenset[str]:
        """What the models are for that are in memory now."""
        return frozenset(self._held)

    def locate(self, name: str | None, *, role: str = DRAWS) -> ModelRow:
        """Return the model meant by a name; looked up once, so it stays the same.

        Raises:
            BadOptionError: there is no such role.
            UnknownModelError: nothing goes by that name.
        """
        role_named(role)
        unnamed = own_default() if role == DRAWS else None
        key = role, unnamed if name is None else named(name)
        if key not in self._located:
            found = packed_for(locate(role, name), self.device, little=self.low_memory)
            row = with_own_defaults(found)
            # By its own name, as an order has it, it is the same and stays loaded.
            self._located[key] = self._located.setdefault((role, row.name), row)
        return self._located[key]

    def _given(self, name: str | None, text_encoders: Sequence[str]) -> ModelRow:
        """Return the model meant by a name, with the text encoders that it is given."""
        row, names = self.locate(name), given_texts("text_encoders", text_encoders)
        texts = [self.locate(each, role=TEXT_ENCODER) for each in names]
        return replace(row, texts=tuple(texts)) if texts else row

    def get(
        self,
        name: str | None,
        *,
        vae: str | None = None,
        decoder: str | None = None,
        text_encoders: Sequence[str] = (),
    ) -> LoadedModel:
        """Return a model that draws, loaded; see `imaginairy.sources.locate`.

        All else is let go before another one is loaded, to make room.

        Args:
            vae: the autoencoder to give it in place of its own; the rest is shared.
            decoder: a tiny VAE that decodes in its place.
            text_encoders: those to give it in place of its own, or as it lacks them.

        Raises:
            BadOptionError: these are no names.
            UnknownModelError: nothing goes by one of the names.
            CheckpointError: the model has no autoencoder and is given none or a decoder
                alone, or that is not for it, or a file is broken.
            DownloadError: one of them could not be fetched.
        """
        with self.in_use():
            row = self._given(name, text_encoders)
            if kept(self._held, row) is None and kept(self._held, row, REFINES):
                first, second = self._held.pop(DRAWS, None), self._held.pop(REFINES)
                self._held |= {DRAWS: second, **({REFINES: first} if first else {})}
                for place in (VAE, DECODES):  # made for the one that draws
                    self._held.pop(place, None)
            loaded: LoadedModel = self._companion(row)
            if vae is not None:
                loaded = self._with_vae(loaded, vae)
            loaded.require_autoencoder(vae)
            return self._decoding(loaded, decoder)

    def _with_vae(self, loaded: LoadedModel, vae: str) -> LoadedModel:
        """Give the model that is loaded another autoencoder."""
        row = self.locate(vae, role=VAE)
        made = partial(with_vae, loaded, row, self.device, self.dtype)
        return self._once(VAE, row, made)

    def _decoding(self, loaded: LoadedModel, decoder: str | None) -> LoadedModel:
        """Let a tiny VAE decode for the model that is loaded, where one is named."""
        if decoder is None:
            return loaded
        row = self.locate(decoder, role=VAE)
        by = loaded.diffusion, loaded.spec.name, self.device, self.dtype
        network, source = self._once(DECODES, row, partial(load_vae, row, *by))
        return loaded.decoding(network, source)

    def _once(self, place: str, row: ModelRow, make: Callable[[], T]) -> T:
        """Return what was made of a model for a place, made where that is another's."""
        there: T | None = kept(self._held, row, place)
        if there is None:
            self._held.pop(place, None)  # before another one takes its place
            with torch.inference_mode(False):  # to be used outside too
                there = make()
            self._held[place] = row, there
        return there

    def refiner(self, name: str) -> LoadedModel:
        """Return the model that goes on with another's pictures, loaded beside that."""
        with self.in_use():
            row = self.locate(name)
            drawing: LoadedModel | None = kept(self._held, row)
            making = partial(self._made, row, self.device)
            return drawing or self._once(REFINES, row, making)

    def companion(self, role: str, name: str | None) -> Any:
        """Return a model of a role, loaded; see `imaginairy.sources.locate`."""
        with self.in_use():
            return self._companion(self.locate(name, role=role))

    def _companion(self, row: ModelRow) -> Any:
        if row.role == DRAWS and kept(self._held, row) is None:
            self.clear()
        return self._once(row.role, row, partial(self._made, row, self.device))

    def check(self, role: str, name: str | None) -> Any:
        """Return a model of a role without its weights.

        It is found, and fetched if need be. All that loading compares is compared, so
        that whatever is wrong with it is said, but no weights are read: they lie where
        tensors have no values. One that is loaded is returned as it is.
        """
        with self.in_use():
            row = self.locate(name, role=role)
            model = kept(self._held, row) or kept(self._checked, row)
            if model is None:
                model = self._made(row, WITHOUT_WEIGHTS)
                self._checked[role] = row, model
            return model

    def _made(self, row: ModelRow, device: torch.device) -> Any:
        if row.notice:
            warn_once(f"notice-{row.name}", row.notice)
        lacking = f"the weights of '{row.name}'", "try a smaller model"
        says = partial(NotEnoughMemoryError.on, self.device, *lacking)
        with memory_told(says), torch.inference_mode(False):  # to be used outside too
            if row.role in WITH_MODEL:
                raise BadOptionError(
                    f"'{row.name}' is a {ROLES[row.role].noun}, which goes with a "
                    "model; name it with the model that is to have it."
                )
            if row.role != DRAWS:
                return function(LOADERS[row.role])(row, device)
            checkpoint = self._opened(row)
            diffusion, files = load(
                row, device, self.dtype,
                checkpoint=checkpoint, free=self.free, little=self.low_memory,
            )  # fmt: skip
            row = self._known_better(row, diffusion)
            if row.taken_for:
                does = row.defaults.described
                log.info(
                    "%s is taken for %s: by default %s.", row.name, row.taken_for, does
                )
            return LoadedModel.made_of(row, diffusion, files, checkpoint.given)

    def _opened(self, row: ModelRow) -> Checkpoint:
        return opened(row, half=self.dtype != torch.float32)

    def _known_better(self, row: ModelRow, model: DrawingModel) -> ModelRow:
        """Return a row with what is known of the model now that it is loaded."""
        better = with_own_defaults(row)
        there = model.device != WITHOUT_WEIGHTS and isinstance(row.weights, LocalPath)
        if model.is_asked and there:
            better = with_asked_defaults(better, model.family, model.prediction)
        if better != row:
            for key, known in self._located.items():
                self._located[key] = better if known is row else known
        return better

    def lacking(self, role: str) -> Missing | None:
        """Say why the published model of a role cannot be had, or None where it can.

        The answer is remembered for a minute.
        """
        role_named(role)
        asked, answer = self._lacking.get(role, (-ASK_AGAIN_S, None))
        if monotonic() - asked >= ASK_AGAIN_S:
            answer = missing(role)
            self._lacking[role] = monotonic(), answer
        return answer

    def say_once(self, sentence: str, *, about: Hashable) -> None:
        """Warn of something, unless that was done before with this store.

        Raises:
            BadOptionError: what it is about cannot be told from other things.
        """
        if self._told.is_new(about):
            log.warning("%s", in_words(sentence))

    def finder(self, role: str) -> Any:
        """Return the published model of a role that finds what hints show, loaded."""
        return self.companion(role, role_named(role).published)

    def check_finder(self, role: str) -> None:
        """Find that model, fetched if need be, without its weights."""
        self.check(role, role_named(role).published)

    def segmenter(self, name: str | None) -> "Segmenter":
        """Return a mask model, loaded."""
        segmenter: Segmenter = self.companion("mask", name)
        return segmenter

    def upscaler(self, name: str | None) -> "Upscaler":
        """Return an upscaler, loaded."""
        upscaler: Upscaler = self.companion("upscaler", name)
        return upscaler

    def face_detector(self, name: str | None) -> "FaceDetector":
        """Return what finds faces, loaded."""
        detector: FaceDetector = self.companion("face-detector", name)
        return detector

    def face_restorer(self, name: str | None) -> "FaceRestorer":
        """Return what restores faces, loaded."""
        restorer: FaceRestorer = self.companion("face-restorer", name)
        return restorer

    def captioner(self, name: str | None) -> "Captioner":
        """Return a caption model, loaded."""
        captioner: Captioner = self.companion("captioner", name)
        return captioner

    def comparer(self, name: str | None) -> "Comparer":
        """Return a similarity model, loaded."""
        comparer: Comparer = self.companion("similarity", name)
        return comparer

    def safety_checker(self) -> "SafetyChecker":
        """Return the safety checker, loaded."""
        checker: SafetyChecker = self.companion("safety", None)
        return checker

    def refusal(self, role: str, consequence: str) -> str | None:
        """Return why the usual model of a role cannot be had, or None where it can.

        It is fetched if need be, and checked. What failed is said once, with its
        consequence, and not tried again until `clear`.

        Raises:
            BadOptionError: there is no such role, or no such model by itself.
            CheckpointError: it can be had, and is broken.
        """
        role_named(role)
        if role not in self._refused:
            try:
                self.check(role, None)
                self._refused[role] = None
            except (DownloadError, UnknownModelError) as error:
                self._refused[role] = str(error)
                log.warning("%s: %s", consequence, error)
        return self._refused[role]

    def clear(self) -> None:
        """Let go of what is loaded and of the memory it took."""
        self._held, self._checked, self._refused, self._lacking = {}, {}, {}, {}
        let_go(self.device)
