"""The notebook of docs/ runs from top to bottom, offline, on the bundled model."""

import io
import os
from base64 import b64decode
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from PIL import Image

ROOT = Path(__file__).parent.parent
PATH = ROOT / "docs" / "colab.ipynb"


def test_it_is_kept_without_outputs() -> None:
    notebook = nbformat.read(PATH, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert not cell.get("outputs") and not cell.get("execution_count")


def test_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    )
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    folder = tmp_path / "here"
    folder.mkdir()
    notebook = nbformat.read(PATH, as_version=4)
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=None,
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute()
    outputs = [out for cell in notebook.cells for out in cell.get("outputs", [])]
    told = "".join(out.text for out in outputs if out.output_type == "stream")
    assert "the same, pixel for pixel: True" in told
    shown = [
        out.data["image/png"] for out in outputs if "image/png" in out.get("data", {})
    ]
    assert len(shown) == 7
    for data in shown:
        pixels = np.asarray(Image.open(io.BytesIO(b64decode(data))))
        assert pixels.std() > 10, "something is to be seen"
    assert (folder / "portrait.jpg").exists()
    assert len(list((folder / "my-art").glob("*.jpg"))) == 2
