"""The tasks as LightningModules. They hold no layers: networks, losses and metrics come from below."""

from trajvq.tasks.base import Task
from trajvq.tasks.classify import Classify
from trajvq.tasks.forecast import Forecast
from trajvq.tasks.reconstruct import Reconstruct
from trajvq.tasks.sample import Sample

__all__ = ["Classify", "Forecast", "Reconstruct", "Sample", "Task"]
