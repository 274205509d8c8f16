"""What a run takes from its training clips, so that one config fits any clips."""

from trajvq.adaptation.adaptation import Adaptation, adapt
from trajvq.adaptation.normalization import LEAST_CONTRAST
from trajvq.adaptation.window_symmetry import THRESHOLD

__all__ = ["LEAST_CONTRAST", "THRESHOLD", "Adaptation", "adapt"]
