"""Task: what every task shares, the user's own included: settings, optimizer, checks, monitor and callbacks."""

import warnings
from typing import Any, ClassVar, Literal

import lightning as L
import torch
from lightning.fabric.utilities.data import AttributeDict
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor, nn

from trajvq.errors import UserError
from trajvq.models.normalization import match_backgrounds
from trajvq.optim.adamw import AdamW
from trajvq.optim.muon import Muon
from trajvq.optim.schedule import scheduled
from trajvq.tokens.protocol import spec_of
from trajvq.tokens.weights import Weights, misfits

Batch = dict[str, Tensor]


class Task(L.LightningModule):
    """A LightningModule that trains all of its parameters, those of its loss included.

    Subclasses set `task`, `monitor` and `monitor_mode`, name their callbacks in ``configure_callbacks`` and compute
    the loss in ``training_step``, passed through `checked`. Every argument of a subclass is a plain value or a module
    that keeps its own arguments as attributes, so that checkpoints hold plain data.

    Args:
        total_steps: Steps until the learning rate has decayed to 0; the trainer's ``max_steps``.
        learning_rate: Peak learning rate of AdamW.
        warmup_steps: Steps of linear rise to it.
        betas: Decay rates of AdamW's running averages.
        weight_decay: Decoupled weight decay.
        matrix_learning_rate: Peak learning rate of Muon, for matrices; None trains all parameters by AdamW.
        init_from: Weights that a new run starts from, of the same network: a checkpoint of the task, its fsspec URL,
            ``default`` or, for a tokenizer, an exported folder or ``hf://OWNER/NAME``; None for random weights.

    Attributes:
        task: Name of the task's run folder, ``runs/TASK``.
        monitor: Figure that chooses ``best.ckpt``; None for no such checkpoint.
        monitor_mode: ``max`` or ``min``.
        scoreboards: By split, after ``test``.
        resumed: Whether a checkpoint gives the weights, so that ``init_from`` is not read; the command line sets it.
        initial_weights: Path and SHA-256 of the weights that the run started from; None for random ones. Checkpoints
            keep it.
    """

    task: ClassVar[str] = "custom"
    monitor: ClassVar[str | None] = None
    monitor_mode: ClassVar[Literal["max", "min"]] = "max"

    def __init__(
        self,
        total_steps: int,
        learning_rate: float,
        warmup_steps: int = 100,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.01,
        matrix_learning_rate: float | None = None,
        init_from: str | None = None,
    ) -> None:
        super().__init__()
        with warnings.catch_warnings():
            # Under the command line these are plain values. Elsewhere modules are replaced on the next line.
            warnings.filterwarnings("ignore", "Attribute '.*' is an instance of `nn.Module`")
            self.save_hyperparameters()
        self.hparams.update({name: _plain(value) for name, value in self.hparams.items()})
        self._hparams_initial = AttributeDict(self.hparams)
        self.total_steps, self.learning_rate, self.warmup_steps = total_steps, learning_rate, warmup_steps
        self.betas, self.weight_decay, self.matrix_learning_rate = betas, weight_decay, matrix_learning_rate
        self.scoreboards: dict[str, dict[str, Any]] = {}
        self.init_from, self.resumed = init_from, False
        self.initial_weights: dict[str, str] | None = None

    @property
    def records(self) -> bool:
        """Whether the training records CUDA graphs; see `trajvq.optim.graphs`."""
        return False

    @property
    def begins(self) -> bool:
        """Whether a new training begins: no checkpoint gives the weights."""
        return self._trainer is not None and self.trainer.state.fn == "fit" and not self.resumed

    def configure_model(self) -> None:
        """Start a new run from the weights that ``init_from`` names, once.

        Lightning, its moving average of weights and `TokenTask` call this, before weights are averaged or sharded.

        Raises:
            UserError: If they cannot be read or are of another network.
        """
        if self.init_from is None or self.initial_weights is not None or not self.begins:
            return
        weights = self.load_weights(self.init_from)
        self.initial_weights = weights.identity()
        rank_zero_only(print)(f"starts from {weights}", flush=True)

    def load_weights(self, source: str) -> Weights:
        """Copy existing weights into the network.

        Args:
            source: See ``init_from``.

        Returns:
            The weights.

        Raises:
            UserError: If they cannot be read or are of another network.
        """
        raise UserError(f"{type(self).__name__} cannot start from existing weights; leave out model.init_from")

    def configure_optimizers(self) -> Any:
        parameters, rate, settings = self.parameters(), self.learning_rate, (self.betas, self.weight_decay)
        optimizer: torch.optim.Optimizer
        if self.matrix_learning_rate is None:
            optimizer = AdamW(parameters, rate, *settings)
        else:
            optimizer = Muon(parameters, rate, self.matrix_learning_rate, *settings, self.records)
        return scheduled(optimizer, self.warmup_steps, self.total_steps)

    def checked(self, loss: Tensor) -> Tensor:
        """Return a loss that is finite.

        Raises:
            UserError: If it is not.
        """
        if not torch.isfinite(loss):
            rates = "" if self.matrix_learning_rate is None else "model.matrix_learning_rate and "
            raise UserError(f"the loss is {loss.item()} at step {self.global_step}; lower {rates}model.learning_rate")
        return loss

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Store which weights the run started from."""
        checkpoint["initial_weights"] = self.initial_weights

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse the weights of another network.

        Raises:
            UserError: If names or shapes differ.
        """
        self.initial_weights = checkpoint.get("initial_weights")
        match_backgrounds(self, checkpoint["state_dict"])
        difference = misfits(self.state_dict(), checkpoint["state_dict"])
        if difference:
            spec = self.hparams.get("network") or self.hparams.get("tokenizer") or {}
            network = spec.get("class_path", type(self).__name__)
            raise UserError(f"the checkpoint is of another network than the config's {network}: {difference}")


def _plain(value: Any) -> Any:
    """Return a setting as plain data: modules by class path and arguments."""
    if isinstance(value, nn.Module):
        return spec_of(value)
    if isinstance(value, list | tuple) and any(isinstance(part, nn.Module) for part in value):
        return [_plain(part) for part in value]
    return value
