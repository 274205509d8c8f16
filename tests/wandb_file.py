"""Read the file of an offline W&B run: a LevelDB log of protocol buffers. W&B itself no longer ships a reader."""

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
    raw, position, fragments = path.read_bytes(), FILE_HEAD, b""
    assert raw[:4] == b":W&B"
    while position + HEAD <= len(raw):
        left = BLOCK - position % BLOCK
        if left < HEAD:  # padding at the end of a block
            position += left
            continue
        _, size, kind = struct.unpack("<IHB", raw[position : position + HEAD])
        position += HEAD
        fragments = (b"" if kind in (WHOLE, FIRST) else fragments) + raw[position : position + size]
        position += size
        if kind in (WHOLE, LAST):
            record = Record()
            record.ParseFromString(fragments)
            yield record


def read_back(folder: Path) -> dict[str, Any]:
    """Return ``history`` (key: values), ``summary``, ``config`` and ``metrics`` (name: best) of a run's W&B folder."""
    content: dict[str, Any] = {"history": {}, "summary": {}, "config": {}, "metrics": {}}
    for path in sorted(folder.glob("offline-run-*/*.wandb")):
        for record in records(path):
            kind = record.WhichOneof("record_type")
            if kind == "history":
                for entry in record.history.item:
                    name = entry.key or "/".join(entry.nested_key)
                    content["history"].setdefault(name, []).append(json.loads(entry.value_json))
            elif kind == "summary":
                for entry in record.summary.update:
                    content["summary"][entry.key or "/".join(entry.nested_key)] = json.loads(entry.value_json)
            elif kind in ("config", "run"):
                update = record.config.update if kind == "config" else record.run.config.update
                for entry in update:
                    content["config"][entry.key or "/".join(entry.nested_key)] = json.loads(entry.value_json)
            elif kind == "metric":
                content["metrics"][record.metric.name] = record.metric.summary
    return content
