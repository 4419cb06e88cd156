"""Shards in Parquet: a row a picture, its file and what made it in columns."""

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from imaginairy.errors import BadOptionError
from imaginairy.fleet.sinks.published import Published
from imaginairy.fleet.sinks.shards import ShardSink

SAID = {
    "negative_prompt": "string",
    "seed": "int64",
    "steps": "int64",
    "prompt_strength": "float64",
    "sampler_type": "string",
    "model": "string",
}
"""What of the metadata has a column of its own; all of it is in `metadata`."""
COLUMNS = {
    "id": "string",
    "image": "binary",
    "extension": "string",
    "width": "int32",
    "height": "int32",
    "prompt": "string",
    **SAID,
    "metadata": "string",
}


class ParquetSink(ShardSink):
    """Each shard is a table, which pyarrow, pandas and Ray Data read."""

    kind = "parquet"
    ending = "parquet"

    def require_packages(self) -> None:
        """Refuse to begin without pyarrow."""
        _pyarrow()

    def packed(self, drawn: Sequence[Published]) -> bytes:
        """Return the file of a table."""
        pa, parquet = _pyarrow()
        table = pa.table(
            [
                pa.array([_row(each)[name] for each in drawn], getattr(pa, kind)())
                for name, kind in COLUMNS.items()
            ],
            names=list(COLUMNS),
        )
        file = io.BytesIO()
        parquet.write_table(table, file, compression="NONE")
        return file.getvalue()

    def unpacked(self, data: bytes) -> list[Published]:
        """Return the pictures of a table."""
        _, parquet = _pyarrow()
        return [
            Published(
                row["id"],
                row["image"],
                row["extension"],
                row["prompt"],
                (row["width"], row["height"]),
                0,
                row["metadata"],
            )
            for row in parquet.read_table(io.BytesIO(data)).to_pylist()
        ]


def _row(drawn: Published) -> Mapping[str, Any]:
    said = drawn.metadata
    width, height = drawn.size
    return {
        "id": drawn.id,
        "image": drawn.data,
        "extension": drawn.extension,
        "width": width,
        "height": height,
        "prompt": drawn.text,
        **{name: _as(kind, said.get(name)) for name, kind in SAID.items()},
        "metadata": drawn.said,
    }


def _as(kind: str, value: Any) -> Any:
    """Return a value as its column holds it."""
    kinds: dict[str, Callable[[Any], Any]] = {"int64": int, "float64": float}
    return None if value is None else kinds.get(kind, str)(value)


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise BadOptionError(
            "Tables in Parquet are written with pyarrow, which is not installed; "
            "install imaginairy[ray], or choose the kind folder or webdataset."
        ) from None
    return pyarrow, parquet
