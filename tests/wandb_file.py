"""Reads what an offline W&B run wrote: a LevelDB log of protocol buffers (W&B itself no longer ships a reader)."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wandb.proto.wandb_internal_pb2 import Record  # type: ignore[attr-defined]

BLOCK, HEAD, FILE_HEAD = 2**15, 7, 7
WHOLE, FIRST, MIDDLE, LAST = 1, 2, 3, 4


def records(path: Path) -> Iterator[Any]:
    """Yield the records of a ``.wandb`` file."""
    raw, place, held = path.read_bytes(), FILE_HEAD, b""
    assert raw[:4] == b":W&B"
    while place + HEAD <= len(raw):
        left = BLOCK - place % BLOCK
        if left < HEAD:  # the rest of a block is padding
            place += left
            continue
        _, size, kind = struct.unpack("<IHB", raw[place : place + HEAD])
        held = (b"" if kind in (WHOLE, FIRST) else held) + raw[place + HEAD : place + HEAD + size]
        place += HEAD + size
        if kind in (WHOLE, LAST):
            record = Record()
            record.ParseFromString(held)
            yield record


def read_back(folder: Path) -> dict[str, Any]:
    """Return ``history`` (key: values), ``summary``, ``config`` and ``metrics`` (name: best) of a run's W&B folder."""
    found: dict[str, Any] = {"history": {}, "summary": {}, "config": {}, "metrics": {}}
    for path in sorted(folder.glob("offline-run-*/*.wandb")):
        for record in records(path):
            kind = record.WhichOneof("record_type")
            if kind == "history":
                for item in record.history.item:
                    name = item.key or "/".join(item.nested_key)
                    found["history"].setdefault(name, []).append(json.loads(item.value_json))
            elif kind == "summary":
                for item in record.summary.update:
                    found["summary"][item.key or "/".join(item.nested_key)] = json.loads(item.value_json)
            elif kind in ("config", "run"):
                update = record.config.update if kind == "config" else record.run.config.update
                for item in update:
                    found["config"][item.key or "/".join(item.nested_key)] = json.loads(item.value_json)
            elif kind == "metric":
                found["metrics"][record.metric.name] = record.metric.summary
    return found
