"""What a dataset follows from: its plan, and the shards it is made of."""

import importlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from trajvq.data.storage.shards import SHARD, VERSION, DataError, Manifest, shard_name
from trajvq.data.synthetic.camera import COLUMNS
from trajvq.data.synthetic.motion import FAMILIES
from trajvq.data.synthetic.presets import preset_named
from trajvq.data.synthetic.ranges import LOOK


@dataclass(frozen=True)
class Plan:
    """All that a dataset follows from.

    Attributes:
        preset: Name of a preset.
        seed: Every clip depends on it, its split and its index alone.
        clips: Clips by split.
        frames: Frames a clip.
        size: Height and width in pixels.
        families: Names of the motion families, in the order of their labels.
        plugins: Modules that register families, looks or presets of one's own.
        shard: Clips a shard.
        version: Of the store.
    """

    preset: str
    seed: int
    clips: Mapping[str, int]
    frames: int
    size: int
    families: tuple[str, ...]
    plugins: tuple[str, ...] = ()
    shard: int = SHARD
    version: int = VERSION

    def shards(self) -> list["Shard"]:
        """Return the shards to make."""
        return [
            Shard(split, number, start, min(start + self.shard, count))
            for split, count in self.clips.items()
            for number, start in enumerate(range(0, count, self.shard))
        ]

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON gives it back."""
        return dict(json.loads(json.dumps(asdict(self))))

    def differences(self, other: Mapping[str, Any]) -> list[str]:
        """Say what differs from another plan, as `as_json` gives it."""
        mine = self.as_json()
        return [f"{name} {other.get(name)} (asked for: {mine[name]})" for name in mine if mine[name] != other.get(name)]

    def manifest(self) -> Manifest:
        """Return the manifest of a dataset with no shard yet."""
        preset = preset_named(self.preset)
        look = preset.make_look()
        return Manifest(
            preset=self.preset,
            seed=self.seed,
            frames=self.frames,
            height=self.size,
            width=self.size,
            classes=list(self.families),
            columns={"camera": COLUMNS, "params": {motion.name: motion.parameters() for motion in FAMILIES}},
            ranges={
                "look": {name: asdict(span) for name, span in (LOOK | look.ranges).items()},
                "motion": {m.name: {name: asdict(span) for name, span in m.ranges.items()} for m in FAMILIES},
                "splits": {
                    split: [{name: [list(part) for part in parts] for name, parts in region.items()} for region in of]
                    for split, of in preset.regions.items()
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
        """Its file name."""
        return shard_name(self.split, self.number)


def import_plugins(plugins: Sequence[str]) -> None:
    """Import modules that register families, looks or presets; the current folder counts.

    Raises:
        DataError: If one cannot be imported.
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
    preset: str, seed: int | None, clips: Mapping[str, int], frames: int, size: int, plugins: Sequence[str] = ()
) -> Plan:
    """Complete what a user asks for by the preset's own.

    Raises:
        DataError: If the preset or a split is unknown, or a number cannot be.
    """
    chosen = preset_named(preset)
    if frames < 2 or size < 16:
        raise DataError(f"clips of {frames} frames and {size}x{size} pixels are too small: at least 2 and 16x16")
    unknown = set(clips) - set(chosen.clips)
    if unknown:
        raise DataError(f"unknown split {min(unknown)!r}; known: {', '.join(chosen.clips)}")
    wanted = {**chosen.clips, **clips}
    if min(wanted.values()) < 0:
        raise DataError(f"a split cannot have {min(wanted.values())} clips; give 0 or more")
    if chosen.seed is not None:
        own = (chosen.seed, chosen.clips, 16, 64)
        if (chosen.seed if seed is None else seed, wanted, frames, size) != own:
            raise DataError(
                f"preset {preset!r} is frozen: its seed, sizes and splits cannot be changed; leave them out"
            )
        seed = chosen.seed
    return Plan(
        preset=preset,
        seed=seed or 0,
        clips={split: count for split, count in wanted.items() if count},
        frames=frames,
        size=size,
        families=tuple(motion.name for motion in FAMILIES),
        plugins=tuple(plugins),
        shard=SHARD,
    )
