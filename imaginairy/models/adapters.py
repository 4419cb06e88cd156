"""Adapters in memory: found, fetched and opened once, whatever they act on."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from imaginairy.adapters.file import Adapter, read_adapter
from imaginairy.log import log
from imaginairy.lora import Lora
from imaginairy.models.known_adapters import words_of
from imaginairy.sources import few_steps
from imaginairy.sources.adapter_facts import beside
from imaginairy.sources.adapter_folders import Folders
from imaginairy.sources.adapters import (
    CALLED,
    AdapterRow,
    fetch_adapter,
    locate_adapter,
)
from imaginairy.sources.checksum import AdapterChecksums
from imaginairy.sources.fetch import on_disk
from imaginairy.sources.rows import HubFile, HubRepo, ModelRow

SIZE = ("width", "height")
"""What stays the model's own."""
MOST_WORDS = 5
"""What is said of what an adapter answers to."""


@dataclass(frozen=True)
class LoadedAdapter:
    """An adapter that is there and was looked at."""

    row: AdapterRow
    path: Path
    adapter: Adapter

    @property
    def name(self) -> str:
        """What it is recorded as."""
        return self.row.name

    @property
    def title(self) -> str:
        """What it is called in a sentence."""
        is_repo = isinstance(self.row.place, HubFile | HubRepo)
        return self.name if is_repo else self.path.stem

    @property
    def hashes(self) -> AdapterChecksums:
        """What gives the SHA-256 of its file, and that of its tensors alone."""
        return AdapterChecksums(self.path)

    @cached_property
    def words(self) -> tuple[str, ...]:
        """What it answers to, as files beside it or its header say."""
        return words_of(beside(self.path), dict(self.adapter.said))[:MOST_WORDS]

    @property
    def all_words(self) -> tuple[str, ...]:
        """The same, and each word of it by itself."""
        return (*self.words, *(each for said in self.words for each in said.split()))

    def few_steps(self, family: str) -> few_steps.Told | None:
        """Tell whether it makes of a model of a family one of few steps."""
        said = self.adapter.said
        names = (self.title, said.get("modelspec.title", ""), said.get(CALLED, ""))
        return few_steps.told_of_adapter(family, names)


class HeldAdapters:
    """Opens adapters when they are asked for, and keeps them."""

    def __init__(self) -> None:
        self.folders = Folders()
        """Where they lie by name, as was last read of it."""
        self._rows: dict[tuple[str, str], AdapterRow] = {}
        self._opened: dict[Hashable, LoadedAdapter] = {}
        self._told: set[Hashable] = set()

    def locate(self, name: str, spec: ModelRow, kind: str = "LoRA") -> AdapterRow:
        """Return the adapter of a name for a model; looked up once.

        Args:
            kind: what it is called in messages.

        Raises:
            UnknownModelError: nothing goes by that name.
        """
        key = name, spec.name
        if key not in self._rows:
            row = locate_adapter(name, on_disk(spec), kind)
            self._rows[key] = row
            self._rows[row.name, spec.name] = row
        return self._rows[key]

    def get(self, name: str, spec: ModelRow) -> LoadedAdapter:
        """Return the adapter of a name for a model, fetched if need be, and opened.

        Raises:
            UnknownModelError: nothing goes by that name.
            CheckpointError: it is broken, unsafe or no adapter.
            DownloadError: it could not be fetched.
        """
        row = self.locate(name, spec)
        path = fetch_adapter(row)
        status = path.stat()
        key = path, status.st_size, status.st_mtime_ns
        if key not in self._opened:
            self._opened[key] = LoadedAdapter(row, path, read_adapter(path))
        return replace(self._opened[key], row=row)

    def tell(self, loaded: LoadedAdapter, texts: Sequence[str]) -> None:
        """Say once what an adapter answers to, where texts do not have it."""
        said = " ".join(texts).casefold()
        missing = [word for word in loaded.words if word.casefold() not in said]
        if loaded.words and len(missing) == len(loaded.words):
            self._say(f"{loaded.title} answers to: {', '.join(loaded.words)}")

    def with_defaults(
        self, spec: ModelRow, family: str, acting: Sequence[tuple[LoadedAdapter, Lora]]
    ) -> ModelRow:
        """Return a model's row as usual with adapters that make it need few steps."""
        for loaded, lora in acting:
            told = loaded.few_steps(family) if lora.in_unet > 0 else None
            if told is not None:
                usual = {k: v for k, v in told.defaults.items() if k not in SIZE}
                spec = replace(spec, defaults=replace(spec.defaults, **usual))
                self._say(
                    f"{loaded.title} makes it {told.kind.title}, as {told.because}: by "
                    f"default {spec.defaults.described}."
                )
                break
        return spec

    def _say(self, sentence: str) -> None:
        if sentence not in self._told:
            self._told.add(sentence)
            log.info("%s", sentence)

    def clear(self) -> None:
        """Let go of what was opened."""
        self._rows, self._opened = {}, {}
