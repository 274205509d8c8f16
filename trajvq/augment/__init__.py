"""Augmentations of clips and paths in training, on the device. They need no labels."""

from trajvq.augment.paths import NoPathSymmetries, PathSymmetries, path_symmetries
from trajvq.augment.protocols import AdaptiveAugmentation, Augmentation, PathAugmentation
from trajvq.augment.symmetries import ClipSymmetries, ClipSymmetry
from trajvq.augment.windows import ObjectWindows, Symmetry

__all__ = [
    "AdaptiveAugmentation",
    "Augmentation",
    "ClipSymmetries",
    "ClipSymmetry",
    "NoPathSymmetries",
    "ObjectWindows",
    "PathAugmentation",
    "PathSymmetries",
    "Symmetry",
    "path_symmetries",
]
