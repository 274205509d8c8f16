"""Where a run folder keeps the scoreboards of datasets that the run was not trained on."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from trajvq.io.urls import is_remote


def board_folder(scoreboards: Path, dataset: Mapping[str, str]) -> str:
    """Return the name of a dataset's folder: the dataset's, with its hash where another one took it.

    Characters that are not plain in the URL of a mirror, such as spaces and parentheses, become ``_``.

    Args:
        scoreboards: Of the run.
        dataset: ``path``, or its URL, and ``sha256`` of the manifest.
    """
    path, sha256 = dataset["path"].rstrip("/"), dataset["sha256"]
    name = path.rpartition("/")[2] if is_remote(path) else Path(path).resolve().name
    name = re.sub(r"[^\w.=+-]|^[.=+-]", "_", name)
    others = {content.get("dataset", {}).get("sha256") for content in _boards(scoreboards / name)}
    return name if others <= {sha256} else f"{name}-{sha256[:8]}"


def _boards(folder: Path) -> Iterator[dict[str, dict[str, str]]]:
    for file in folder.glob("*.json"):
        yield json.loads(file.read_text(encoding="utf-8"))
