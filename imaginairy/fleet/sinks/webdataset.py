"""Shards in tar, as WebDataset reads them: `.jpg`, `.json` and `.txt` of a picture."""

import io
import json
import tarfile
from collections.abc import Iterator, Sequence

from imaginairy.fleet.ids import file_stem
from imaginairy.fleet.sinks.published import Published
from imaginairy.fleet.sinks.shards import ShardSink


class WebDatasetSink(ShardSink):
    """Each shard is a tar file, in which a picture's files lie next to each other."""

    kind = "webdataset"
    ending = "tar"

    def packed(self, drawn: Sequence[Published]) -> bytes:
        """Return the tar file of pictures, without times."""
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for each in drawn:
                for name, data in _files(each):
                    info = tarfile.TarInfo(name)
                    info.size = len(data)
                    tar.addfile(info, io.BytesIO(data))
        return file.getvalue()

    def unpacked(self, data: bytes) -> list[Published]:
        """Return the pictures of a tar file."""
        samples: dict[str, dict[str, bytes]] = {}
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            for info in tar:
                stem, _, ending = info.name.partition(".")
                file = tar.extractfile(info)
                samples.setdefault(stem, {})[ending] = file.read() if file else b""
        return [_published(sample) for sample in samples.values()]


def _files(drawn: Published) -> Iterator[tuple[str, bytes]]:
    """Yield the names and contents of a picture's files."""
    stem = file_stem(drawn.id)
    width, height = drawn.size
    said = {**drawn.metadata, "id": drawn.id, "width": width, "height": height}
    yield f"{stem}.{drawn.extension}", drawn.data
    yield f"{stem}.json", json.dumps(said).encode()
    yield f"{stem}.txt", drawn.text.encode()


def _published(sample: dict[str, bytes]) -> Published:
    said = json.loads(sample["json"])
    (extension,) = sample.keys() - {"json", "txt"}
    return Published(
        said["id"],
        sample[extension],
        extension,
        sample["txt"].decode(),
        (said["width"], said["height"]),
        0,
        json.dumps({name: value for name, value in said.items() if name != "id"}),
    )
