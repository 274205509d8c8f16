"""TokenTask: what the tasks on frozen tokens have in common."""

import warnings
from typing import Any

import lightning as L
import torch
from lightning.fabric.utilities.data import AttributeDict
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor, nn

from trajvq.errors import UserError
from trajvq.models.transformer import TokenLayout
from trajvq.optim.schedule import adamw, muon
from trajvq.tokens.datamodule import TokenDataModule
from trajvq.tokens.frozen import FrozenTokenizer
from trajvq.tokens.loading import misfits, trained_for
from trajvq.tokens.protocol import spec_of

Batch = dict[str, Tensor]


class TokenTask(L.LightningModule):
    """A task on the tokens of a frozen tokenizer.

    The network is made by `make` when the data are known, or from a checkpoint, which holds layout, classes and
    the tokenizer's SHA-256 but none of its weights.

    Args:
        tokenizer_ckpt: Checkpoint of the tokenizer.
        network: What is trained.
        total_steps: Steps until the learning rate has decayed to 0; the trainer's ``max_steps``.
        learning_rate: Its peak.
        warmup_steps: Steps of linear rise to it.
        betas: AdamW's running averages.
        weight_decay: Decoupled weight decay.
        matrix_learning_rate: Muon's peak, for matrices; None trains all by AdamW.
    """

    def __init__(
        self,
        tokenizer_ckpt: str,
        network: nn.Module,
        total_steps: int,
        learning_rate: float,
        warmup_steps: int,
        betas: tuple[float, float],
        weight_decay: float,
        matrix_learning_rate: float | None = None,
    ) -> None:
        super().__init__()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # under the CLI these are plain values; elsewhere see the next line
            self.save_hyperparameters()
        self.hparams.update({n: spec_of(v) for n, v in self.hparams.items() if isinstance(v, nn.Module)})
        self._hparams_initial = AttributeDict(self.hparams)
        self.tokenizer = FrozenTokenizer(tokenizer_ckpt)
        rank_zero_only(print)(f"tokenizer: {self.tokenizer}", flush=True)
        self.network, self.total_steps = network, total_steps
        self.learning_rate, self.warmup_steps = learning_rate, warmup_steps
        self.betas, self.weight_decay = betas, weight_decay
        self.matrix_learning_rate = matrix_learning_rate
        self.layout: TokenLayout | None = None
        self.classes: list[str] = []
        self.scoreboards: dict[str, dict[str, Any]] = {}

    def make(self, layout: TokenLayout, classes: list[str]) -> None:
        """Make the network's layers.

        Args:
            layout: Of the tokens.
            classes: Names of the classes.
        """
        raise NotImplementedError

    def configure_model(self) -> None:
        """Make the network for the data at hand, once."""
        if self.layout is None and self._trainer is not None:
            manifest = self.data.manifest
            self._make(self.tokenizer.layout(manifest), manifest.classes)

    def _make(self, layout: TokenLayout, classes: list[str]) -> None:
        self.layout, self.classes = layout, list(classes)
        self.make(layout, self.classes)

    def setup(self, stage: str) -> None:
        """Check that the dataset's clips have the tokens and classes that the network was made for.

        Raises:
            UserError: If they do not.
        """
        self.configure_model()
        self._check_data()

    def _check_data(self) -> None:
        manifest = self.data.manifest
        found = self.tokenizer.layout(manifest)
        if found != self.layout:
            assert self.layout is not None
            raise UserError(
                f"clips of {self.data.path} have {found.grid} tokens, the network was trained on {self.layout.grid}"
            )
        if manifest.classes != self.classes:
            raise UserError(
                f"{self.data.path} has the classes {', '.join(manifest.classes) or 'none'}, "
                f"the network was trained on {', '.join(self.classes) or 'none'}"
            )

    def configure_optimizers(self) -> Any:
        weights, rest = self.network.parameters(), (self.warmup_steps, self.total_steps, self.betas, self.weight_decay)
        if self.matrix_learning_rate is None:
            return adamw(weights, self.learning_rate, *rest)
        return muon(weights, self.learning_rate, self.matrix_learning_rate, *rest)

    @property
    def data(self) -> TokenDataModule:
        """The run's data.

        Raises:
            UserError: If they are not tokens.
        """
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        if not isinstance(data, TokenDataModule):
            raise UserError(f"{type(self).__name__} trains on tokens; set data to TokenDataModule")
        return data

    def checked(self, loss: Tensor) -> Tensor:
        """Return a loss that is finite.

        Raises:
            UserError: If it is not.
        """
        if not torch.isfinite(loss):
            lower = "" if self.matrix_learning_rate is None else "model.matrix_learning_rate and "
            raise UserError(f"the loss is {loss.item()} at step {self.global_step}; lower {lower}model.learning_rate")
        return loss

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Write down what the weights need to be loaded, and which tokenizer they stand on."""
        assert self.layout is not None
        checkpoint["tokenizer"] = self.tokenizer.identity()
        checkpoint["trained_for"] = {"classes": self.classes, **vars(self.layout)}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse another tokenizer; make the network, if there is none yet, and refuse other weights than its own."""
        self.tokenizer.check(checkpoint.get("tokenizer"), "the checkpoint")
        layout, classes = trained_for(checkpoint["trained_for"], "the checkpoint")
        if self.layout is None:
            self._make(layout, classes)
        if (layout, classes) != (self.layout, self.classes):
            assert self.layout is not None
            raise UserError(
                f"the checkpoint was trained on {layout.grid} tokens and the classes {', '.join(classes)}, "
                f"the data have {self.layout.grid} and {', '.join(self.classes)}; give the data it was trained for"
            )
        wrong = misfits(self.state_dict(), checkpoint["state_dict"])
        if wrong:
            name = self.hparams["network"]["class_path"]
            raise UserError(f"the checkpoint is of another network than the config's {name}: {wrong}")
