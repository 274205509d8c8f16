"""Changes since a run began: list the ones it can continue with, refuse the others."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from trajvq.errors import UserError

ABSENT = "not set"
INIT_FROM = "model.init_args.init_from"
NO_EFFECT = ("run_root", "mirror", "strips", "checkpoint")  # settings that do not change the training


def changes(run: Path, settings: Mapping[str, Any]) -> list[str]:
    """Compare settings with the ones that a run last started with.

    Args:
        run: The run folder. It has a ``config.yaml`` unless the run ended very early.
        settings: The new settings, as plain values.

    Returns:
        One line per difference, such as ``model.init_args.learning_rate: 0.003 -> 0.001``.

    Raises:
        UserError: If the run cannot continue with them, as with another network.
    """
    path = run / "config.yaml"
    if not path.exists():
        return []
    try:
        before = dict(_flat(yaml.safe_load(path.read_text(encoding="utf-8"))))
    except yaml.YAMLError as error:
        raise UserError(f"{path} cannot be read ({str(error).splitlines()[0]}); choose another --run") from None
    now = dict(_flat(settings))
    lines = []
    for name in sorted(before.keys() | now.keys()):
        old, new = before.get(name, ABSENT), now.get(name, ABSENT)
        if old == new or name.split(".")[0] in NO_EFFECT:
            continue
        line = f"{name}: {old} -> {new}"
        if name == "trainer.accumulate_grad_batches" or (None in (old, new) and name.endswith(".matrix_learning_rate")):
            raise UserError(f"run {run} cannot continue with another {name} ({old} -> {new}); choose another --run")
        if name == INIT_FROM:
            if {old, new} <= {None, ABSENT}:  # an older version knew no such option
                continue
            raise UserError(f"run {run} began with other weights ({line}); choose another --run")
        if name.startswith(("model.init_args.tokenizer", "model.init_args.network")):
            raise UserError(f"run {run} has another network ({line}); choose another --run")
        lines.append(line)
    return lines


def check_dataset(content: Mapping[str, Any], run: Path, path: Path, sha256: str) -> None:
    """Check that a run continues with the dataset it began with.

    Args:
        content: The checkpoint.
        run: The run folder.
        path: The dataset folder.
        sha256: SHA-256 of the dataset's manifest.

    Raises:
        UserError: If it is another dataset.
    """
    before = content["trajvq"]["dataset"]
    if before not in (None, sha256):
        raise UserError(
            f"run {run} began with another dataset (manifest {before[:12]}) than {path} (manifest {sha256[:12]}); "
            "choose another --run, or set --data.path to the first dataset"
        )


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else str(key))
    else:
        yield name, value
