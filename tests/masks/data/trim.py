"""Make masks.npz from the full reference outputs: python trim.py FOLDER.

FOLDER holds masks.npz and mask_grammar.json, computed on a CPU in float32 by imaginAIry
2.0.0. Of the arrays those are kept that the tests of the mask language (`phrase.*`,
`result.*`) and of the post-processing (`post.*`) use; of the rows of the grammar, what
is not in the arrays anyway.
"""

import json
import re
import sys
from pathlib import Path

import numpy as np


def main(folder: Path) -> None:
    """Gather what is wanted and write it beside this file."""
    here = Path(__file__).parent
    full = np.load(folder / "masks.npz")
    unused = re.compile(r"api\.|.*\.dilated")
    wanted = [name for name in full.files if not unused.match(name)]
    np.savez_compressed(here / "masks.npz", **{name: full[name] for name in wanted})
    rows = json.loads((folder / "mask_grammar.json").read_text())["grammar_rows"]
    for row in rows:
        row.pop("str", None)
        row.pop("result_mean", None)
    lines = ",\n".join(json.dumps(row) for row in rows)
    (here / "mask_grammar.json").write_text(f"[\n{lines}\n]\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
