"""What changed since a run began: said where it can be kept, refused where it cannot."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from trajvq.errors import UserError

ABSENT = "not set"
ELSEWHERE = ("run_root", "mirror", "strips", "checkpoint")  # settings that do not touch what is trained


def changes(run: Path, settings: Mapping[str, Any]) -> list[str]:
    """Say how settings differ from those that a run was last started with.

    Args:
        run: The run folder, with ``config.yaml`` unless it broke off very early.
        settings: The new ones, as plain values.

    Returns:
        A line for each difference, such as ``model.init_args.learning_rate: 0.003 -> 0.001``.

    Raises:
        UserError: If the network is another one.
    """
    path = run / "config.yaml"
    if not path.exists():
        return []
    try:
        before = dict(_flat(yaml.safe_load(path.read_text())))
    except yaml.YAMLError as error:
        raise UserError(f"{path} cannot be read ({str(error).splitlines()[0]}); choose another --run") from None
    now = dict(_flat(settings))
    found = []
    for name in sorted(before.keys() | now.keys()):
        old, new = before.get(name, ABSENT), now.get(name, ABSENT)
        if old == new or name.split(".")[0] in ELSEWHERE:
            continue
        line = f"{name}: {old} -> {new}"
        if name == "trainer.accumulate_grad_batches" or (None in (old, new) and name.endswith(".matrix_learning_rate")):
            raise UserError(f"run {run} cannot go on with another {name} ({old} -> {new}); choose another --run")
        if name.startswith(("model.init_args.tokenizer", "model.init_args.network")):
            raise UserError(f"run {run} was begun with another network ({line}); choose another --run")
        found.append(line)
    return found


def check_dataset(content: Mapping[str, Any], run: Path, path: Path, found: str) -> None:
    """Check that a run goes on with the dataset it began with.

    Args:
        content: The checkpoint.
        run: The run folder.
        path: The dataset folder.
        found: The SHA-256 of the dataset's manifest.

    Raises:
        UserError: If it is another one.
    """
    wanted = content["trajvq"]["dataset"]
    if wanted not in (None, found):
        raise UserError(
            f"run {run} was begun with another dataset (manifest {wanted[:12]}) than {path} (manifest {found[:12]}); "
            "choose another --run, or give the first one's --data.path"
        )


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else str(key))
    else:
        yield name, value
