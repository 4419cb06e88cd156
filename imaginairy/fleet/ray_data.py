"""Ray Data: a data set of prompts to one of pictures, within anybody's pipeline.

Each row comes out once, whatever came of it, with three columns more:

- `image`: the picture, as the bytes of a png or jpg file with its metadata in it, or as
  an array (height, width, 3) of 0 to 255; null, or an array without pixels, where there
  is none;
- `metadata`: everything that made it, as JSON; null where there is none;
- `error`: what the prompt failed of, in a sentence; null where it did not.
"""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from imaginairy.checks import Number, kind_of
from imaginairy.errors import BadOptionError, in_words, near_miss
from imaginairy.fields import written
from imaginairy.fleet.dispatch import MOST_TOGETHER
from imaginairy.fleet.drawer import Drawer
from imaginairy.fleet.publisher import said
from imaginairy.fleet.ray_cluster import (
    Place,
    places,
    ray_package,
    require_same,
    versions,
)
from imaginairy.fleet.rows import seed_of
from imaginairy.fleet.surroundings import Surroundings
from imaginairy.metadata.tags import as_json
from imaginairy.metadata.write import encoded_image
from imaginairy.pictures import read_picture
from imaginairy.precision import Precision
from imaginairy.recorded import pictures
from imaginairy.schema import ImaginePrompt

if TYPE_CHECKING:
    from imaginairy.outcomes import Outcome

IMAGE, METADATA, ERROR = MADE = ("image", "metadata", "error")
"""The columns that rows come out with."""
ARRAY = "array"
AS = ("png", "jpg", ARRAY)
FIELDS = frozenset(written(ImaginePrompt))
PICTURES = pictures(ImaginePrompt)
MOST_WORKERS = 100_000

Row = dict[str, Any]


def imagine_dataset(
    dataset: Any,
    *,
    fields: Mapping[str, Any] | None = None,
    image: str = "png",
    workers: int | None = None,
    threads: int | None = None,
    device: str | None = None,
    precision: Precision | None = None,
    batch_size: int | None = None,
) -> Any:
    """Generate an image for each row of a Ray data set, lazily, as Ray Data does.

    Columns that are called as fields of a prompt are those (`prompt` has to be there);
    null leaves one open. All columns come out again, with `image` (the bytes of a file,
    or an array), `metadata` (JSON) and `error` (a sentence) beside them; a prompt that
    fails takes no other with it. A row that gives no `seed` has one that follows from
    all of its columns, so that it is the same picture whenever it is drawn.

    Args:
        dataset: a `ray.data.Dataset`.
        fields: those that all rows have; a row's own win.
        image: `png` or `jpg` for bytes, `array` for arrays (height, width, 3).
        workers: how many processes draw; None takes one for each GPU of the cluster,
            and where there is none, one for each few CPUs, but for one that is left for
            what reads the rows.
        threads: CPUs of each worker that has no GPU.
        device, precision, batch_size: those of `imagine`.

    Returns:
        A `ray.data.Dataset`, whose rows may come in another order.

    Raises:
        BadOptionError: an argument is not as it should be.
    """
    settings: dict[str, Any] = {
        "fields": fields,
        "image": image,
        "device": device,
        "precision": precision,
        "batch_size": batch_size,
    }
    ImagineRows(**settings)  # refused here and not on the cluster
    _require_counts(workers=workers, threads=threads)
    data = _package_of(dataset)
    is_cpu = str(device or "").startswith("cpu")
    nodes = ray_package().nodes()
    place = room_for(nodes, is_cpu=is_cpu, workers=workers, threads=threads)
    here = Surroundings.here(None if place.gpus else max(1, place.cpus))
    return dataset.map_batches(
        ImagineRows,
        fn_constructor_kwargs=settings | {"surroundings": here, "versions": versions()},
        compute=data.ActorPoolStrategy(size=max(1, place.workers)),
        batch_size=MOST_TOGETHER,
        batch_format="pyarrow",
        num_cpus=place.cpus,
        num_gpus=place.gpus,
    )


def _require_counts(**counts: object) -> None:
    for name, count in counts.items():
        if count is not None:
            Number(1, MOST_WORKERS, whole=True)(name, count)


def _package_of(dataset: Any) -> Any:
    """Return Ray Data, of which a data set is.

    Raises:
        BadOptionError: it is none.
    """
    data = sys.modules.get("ray.data")  # imported by whoever has a data set
    if data is None or not isinstance(dataset, data.Dataset):
        raise BadOptionError(
            "imagine_dataset takes a ray.data.Dataset (of Ray, which "
            f"pip install 'imaginairy[ray]' brings), not {kind_of(dataset)}."
        )
    return data


class ImagineRows:
    """What `map_batches` makes an actor of: a table of rows in, one with images out.

    It takes and gives `pyarrow` tables (`batch_format="pyarrow"`). The arguments are
    those of `imagine_dataset`; models stay loaded from batch to batch.

    Args:
        surroundings: those of whoever asks for it.
        versions: what is installed where it is asked for; another is refused.
    """

    def __init__(
        self,
        *,
        fields: Mapping[str, Any] | None = None,
        image: str = "png",
        device: str | None = None,
        precision: Precision | None = None,
        batch_size: int | None = None,
        surroundings: Surroundings | None = None,
        versions: Mapping[str, str] | None = None,
    ) -> None:
        if image not in AS:
            raise BadOptionError(
                f"image is one of {', '.join(AS)}, not {in_words(image)!r}."
                + near_miss(image, AS)
            )
        if not isinstance(fields or {}, Mapping):
            raise BadOptionError(
                f"fields is a mapping of fields of prompts, not {kind_of(fields)}."
            )
        self.fields, self.image = dict(fields or {}), image
        for name in self.fields.keys() - FIELDS:
            raise BadOptionError(
                f"fields names '{name}', which is no field of a prompt."
                + near_miss(name, FIELDS)
            )
        if versions is not None:
            require_same(versions, "another machine")
        self._unsettled = [surroundings] if surroundings else []
        self.drawer = Drawer(device, precision, batch_size)

    def __call__(self, table: Any) -> Any:
        """Return a table with what came of each row."""
        while self._unsettled:
            self._unsettled.pop().settle()
        rows = table.to_pylist()
        made = self.made(rows)
        for name in MADE:
            if name in table.column_names:
                table = table.drop_columns([name])
            table = table.append_column(name, self._column(name, made))
        return table

    def made(self, rows: Sequence[Row]) -> list[Row]:
        """Return what came of each row, in three columns."""
        asked = [prompt_of(row, self.fields) for row in rows]
        prompts = (each for each in asked if isinstance(each, ImaginePrompt))
        outcomes = iter(self.drawer.drawn(prompts))
        return [
            self._made(each if isinstance(each, Exception) else next(outcomes))
            for each in asked
        ]

    def _made(self, outcome: "Outcome") -> Row:
        if isinstance(outcome, Exception):
            return {IMAGE: self._nothing(), METADATA: None, ERROR: said(outcome)}
        metadata = outcome.metadata_dict()
        if self.image == ARRAY:
            import numpy

            image: Any = numpy.asarray(outcome.img.convert("RGB"))
        else:
            image = encoded_image(outcome.img, self.image, metadata)
        return {IMAGE: image, METADATA: as_json(metadata), ERROR: None}

    def _nothing(self) -> Any:
        if self.image != ARRAY:
            return None

        import numpy

        return numpy.zeros((0, 0, 3), numpy.uint8)

    def _column(self, name: str, made: Iterable[Row]) -> Any:
        import pyarrow

        values = [row[name] for row in made]
        if name != IMAGE:
            return pyarrow.array(values, pyarrow.string())
        if self.image != ARRAY:
            return pyarrow.array(values, pyarrow.binary())

        from ray.data.extensions import ArrowVariableShapedTensorArray

        return ArrowVariableShapedTensorArray.from_numpy(values)


def prompt_of(row: Row, fields: Mapping[str, Any]) -> ImaginePrompt | Exception:
    """Return the prompt of a row, or why there is none.

    Args:
        fields: those that it has where the row gives none.
    """
    own = {name: row[name] for name in FIELDS & row.keys() if row[name] is not None}
    try:
        for name in PICTURES:
            if isinstance(own.get(name), bytes):
                own[name] = read_picture(own[name], name)
        asked = {**fields, **own}
        if "prompt" not in asked:
            raise BadOptionError("The row has no column 'prompt'; say what to draw.")
        seeds = [
            "seed",
            *(["variation_seed"] if asked.get("variation_strength") else []),
        ]
        for name in seeds:
            if asked.get(name) is None:
                asked[name] = seed_of(name, content(row))
        return ImaginePrompt(**asked)
    except Exception as error:
        return error


def content(row: Row) -> str:
    """Return what tells a row from all others."""
    whole = json.dumps(row, sort_keys=True, default=repr)
    return sha256(whole.encode(errors="replace")).hexdigest()


def room_for(
    nodes: Sequence[Mapping[str, Any]],
    *,
    is_cpu: bool,
    workers: int | None,
    threads: int | None,
) -> Place:
    """Return room for workers that leaves a CPU for what reads and writes the rows."""
    alive = [node.get("Resources", {}) for node in nodes if node.get("Alive")]
    alive.sort(key=lambda resources: -resources.get("CPU", 0))
    for resources in alive[:1]:
        alive[0] = {**resources, "CPU": resources.get("CPU", 0) - 1}
    spared = [{"Alive": True, "Resources": resources} for resources in alive]
    place = places(spared, is_cpu=is_cpu, workers=workers, threads=threads)
    return place if place.workers else Place(1, 0, 0)  # they share the only one
