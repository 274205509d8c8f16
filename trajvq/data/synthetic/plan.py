"""The plan of a dataset: the settings that determine it, and its shards."""

import importlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from trajvq.data.storage.manifest import VERSION, Manifest
from trajvq.data.storage.shards import SHARD, shard_name
from trajvq.data.synthetic.camera import COLUMNS
from trajvq.data.synthetic.motion import FAMILIES
from trajvq.data.synthetic.placement import SCENE
from trajvq.data.synthetic.presets import preset_named
from trajvq.data.synthetic.ranges import APPEARANCE
from trajvq.errors import DataError
from trajvq.io.video import Size, height_and_width


@dataclass(frozen=True)
class Plan:
    """The settings that determine every byte of a dataset.

    Attributes:
        preset: Name of a preset.
        seed: Seed. A clip depends on it, its split and its index alone.
        clips: Number of clips by split.
        frames: Frames per clip.
        size: Width and height in pixels, or the side of a square.
        families: Names of the motion families, in the order of their labels.
        plugins: Modules of the user that register families, styles or presets.
        shard: Clips per shard.
        version: Version of the dataset format.
    """

    preset: str
    seed: int
    clips: Mapping[str, int]
    frames: int
    size: Size
    families: tuple[str, ...]
    plugins: tuple[str, ...] = ()
    shard: int = SHARD
    version: int = VERSION

    def shards(self) -> list["Shard"]:
        """Return all shards of the dataset."""
        return [
            Shard(split, number, start, min(start + self.shard, count))
            for split, count in self.clips.items()
            for number, start in enumerate(range(0, count, self.shard))
        ]

    def as_json(self) -> dict[str, Any]:
        """Return the plan as JSON types: what reading it back from a file gives."""
        return dict(json.loads(json.dumps(asdict(self))))

    def differences(self, other: Mapping[str, Any]) -> list[str]:
        """Return one description for each setting that differs from another plan in the form of `as_json`."""
        return [
            f"{name} {other.get(name)} (requested: {value})"
            for name, value in self.as_json().items()
            if value != other.get(name)
        ]

    def manifest(self) -> Manifest:
        """Return the manifest of the dataset, without shards."""
        preset = preset_named(self.preset)
        height, width = height_and_width(self.size)
        parameters = APPEARANCE | preset.make_style().ranges | (SCENE if preset.objects > 1 else {})
        return Manifest(
            preset=self.preset,
            seed=self.seed,
            frames=self.frames,
            height=height,
            width=width,
            classes=list(self.families),
            columns={"camera": COLUMNS, "params": {motion.name: motion.parameters() for motion in FAMILIES}},
            ranges={
                "appearance": {name: asdict(interval) for name, interval in parameters.items()},
                "motion": {m.name: {name: asdict(interval) for name, interval in m.ranges.items()} for m in FAMILIES},
                "splits": {
                    split: [
                        {name: [list(part) for part in parts] for name, parts in region.items()} for region in regions
                    ]
                    for split, regions in preset.regions.items()
                },
            },
        )


@dataclass(frozen=True)
class Shard:
    """Clips ``start`` to ``stop`` of a split."""

    split: str
    number: int
    start: int
    stop: int

    @property
    def file(self) -> str:
        """File name of the shard."""
        return shard_name(self.split, self.number)


def import_plugins(plugins: Sequence[str]) -> None:
    """Import modules that register families, styles or presets. The current folder is on the import path.

    Raises:
        DataError: If a module cannot be imported.
    """
    if plugins and "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    for name in plugins:
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise DataError(
                f"plugin {name!r} cannot be imported ({error}); give a module of the current folder"
            ) from None


def make_plan(
    preset: str, seed: int | None, clips: Mapping[str, int], frames: int, size: Size, plugins: Sequence[str] = ()
) -> Plan:
    """Return the plan of a preset with the settings of the user.

    Raises:
        DataError: If the preset or a split is unknown, or a number is out of range.
    """
    chosen = preset_named(preset)
    height, width = height_and_width(size)
    least = 2 if chosen.objects == 1 else 4  # two points of a turn say nothing about its size
    if frames < least or min(height, width) < 16:
        raise DataError(
            f"clips of {frames} frames and {width}x{height} pixels are too small: at least {least} and 16x16"
        )
    unknown = set(clips) - set(chosen.clips)
    if unknown:
        raise DataError(f"unknown split {min(unknown)!r}; known: {', '.join(chosen.clips)}")
    counts = {**chosen.clips, **clips}
    if min(counts.values()) < 0:
        raise DataError(f"a split cannot have {min(counts.values())} clips; give 0 or more")
    if not any(counts.values()):
        raise DataError("a dataset without clips is none; give at least one split 1 or more")
    if chosen.seed is not None:
        frozen = (chosen.seed, chosen.clips, 16, 64)
        if (chosen.seed if seed is None else seed, counts, frames, size) != frozen:
            raise DataError(
                f"preset {preset!r} is frozen: its seed, sizes and splits cannot be changed; leave them out"
            )
        seed = chosen.seed
    return Plan(
        preset=preset,
        seed=seed or 0,
        clips={split: count for split, count in counts.items() if count},
        frames=frames,
        size=size,
        families=tuple(motion.name for motion in FAMILIES),
        plugins=tuple(plugins),
        shard=SHARD,
    )
