"""TokenTask: what the tasks on the tokens of a frozen tokenizer share."""

from typing import Any, ClassVar

from lightning.pytorch.utilities import rank_zero_only
from torch import nn

from trajvq.errors import UserError
from trajvq.io.cache import local_copy
from trajvq.io.checkpoint import read_checkpoint
from trajvq.models.transformer import TokenLayout
from trajvq.tasks.base import Task
from trajvq.tasks.tokenizer_check import check_tokenizer_on
from trajvq.tokens.datamodule import TokenDataModule
from trajvq.tokens.frozen import FrozenTokenizer
from trajvq.tokens.loading import trained_for
from trajvq.tokens.task_weights import default_checkpoint
from trajvq.tokens.weights import DEFAULT, Weights, of_checkpoint


class TokenTask(Task):
    """A task on the tokens of a frozen tokenizer.

    The network's layers are created by `build` when the data are known, or from a checkpoint, which holds layout,
    classes and the tokenizer's SHA-256 but none of its weights.

    Args:
        tokenizer_ckpt: Checkpoint of the tokenizer, a path or fsspec URL; or an exported folder, or ``default``.
        network: The network to train.
        settings: The arguments of `Task`; ``init_from`` is a checkpoint of the same task on the same tokenizer, grid of
            tokens and classes, or ``default`` for that of the package.

    Attributes:
        test_needs: Splits that a test needs beside those that it scores.
        trained_on: What the loaded checkpoint tells of its training clips; see `TokenDataModule.training_clips`.
        adapted: How the training adapted to its clips, a line each.
        remarks: Lines for scoreboards, such as that the tokenizer does not hold the clips.
    """

    test_needs: ClassVar[tuple[str, ...]] = ("train", "val")

    def __init__(self, tokenizer_ckpt: str, network: nn.Module, **settings: Any) -> None:
        super().__init__(**settings)
        self.tokenizer = FrozenTokenizer(tokenizer_ckpt)
        rank_zero_only(print)(f"tokenizer: {self.tokenizer}", flush=True)
        self.network = network
        self.layout: TokenLayout | None = None
        self.classes: list[str] = []
        self.trained_on: dict[str, Any] = {}
        self.adapted: list[str] = []
        self.remarks: list[str] = []

    def build(self, layout: TokenLayout, classes: list[str]) -> None:
        """Create the network's layers.

        Args:
            layout: Of the tokens.
            classes: Names of the classes.
        """
        raise NotImplementedError

    def configure_model(self) -> None:
        """Create the layers for the data at hand, once."""
        if self.layout is None and self._trainer is not None:
            manifest = self.data.manifest
            self._build(self.tokenizer.layout(manifest), manifest.classes)
        super().configure_model()

    def load_weights(self, source: str) -> Weights:
        """Copy the network's weights from a checkpoint; see `Task.load_weights`."""
        local = default_checkpoint(self.task) if source == DEFAULT else local_copy(source)
        content = read_checkpoint(local if source == DEFAULT else source)
        spec = content.get("hyper_parameters", {}).get("network")
        if spec is None or "trained_for" not in content:
            raise UserError(f"model.init_from {source} is no checkpoint of {self.task}; give one, or leave it out")
        self.tokenizer.check(content.get("tokenizer"), source)
        layout, classes = trained_for(content["trained_for"], source)
        if (layout, classes) != (self.layout, self.classes):
            assert self.layout is not None
            raise UserError(
                f"model.init_from {source} was trained on {layout.grid} tokens and the classes "
                f"{', '.join(classes) or 'none'}, the data have {self.layout.grid} and "
                f"{', '.join(self.classes) or 'none'}; give the data it was trained for, or leave out model.init_from"
            )
        weights = of_checkpoint(source, local, content, spec, "network.")
        weights.copy_to(self.network, "model.network")
        return weights

    def _build(self, layout: TokenLayout, classes: list[str]) -> None:
        """Create the layers.

        Raises:
            UserError: If the network refuses its settings.
        """
        self.layout, self.classes = layout, list(classes)
        try:
            self.build(layout, self.classes)
        except ValueError as error:
            raise UserError(f"model.network cannot be built: {error}") from error

    def setup(self, stage: str) -> None:
        """Check that the dataset's clips have the tokens and classes that the network was built for.

        Where the run is trained or tested, say how well the tokenizer reconstructs them.

        Raises:
            UserError: If they do not, or a split is missing that a test needs.
        """
        self.configure_model()
        self.check_data()
        missing = [split for split in self.test_needs if split not in self.data.manifest.splits]
        if stage == "test" and missing:
            raise UserError(
                f"a test of this task needs the split {missing[0]}, and {self.data.path} has only "
                f"{', '.join(self.data.manifest.splits)}; import the clips with it"
            )
        if stage in ("fit", "test") and "train" in self.data.manifest.splits:
            checked = check_tokenizer_on(self.data, self.tokenizer) if self.trainer.is_global_zero else None
            checked = self.trainer.strategy.broadcast(checked)
            assert checked is not None
            rank_zero_only(print)(checked, flush=True)
            self.adapted.append(str(checked))
            self.remarks = [str(checked)] if checked.blind else []

    def check_data(self) -> None:
        """Check the dataset against the network.

        Raises:
            UserError: If they do not fit.
        """
        manifest = self.data.manifest
        layout = self.tokenizer.layout(manifest)
        if layout != self.layout:
            assert self.layout is not None
            raise UserError(
                f"clips of {self.data.path} have {layout.grid} tokens, the network was trained on {self.layout.grid}"
            )
        self.check_classes()

    def check_classes(self) -> None:
        """Check the dataset's classes against those that the network was trained on.

        Raises:
            UserError: If they differ.
        """
        manifest = self.data.manifest
        if manifest.classes != self.classes:
            raise UserError(
                f"{self.data.path} has the classes {', '.join(manifest.classes) or 'none'}, "
                f"the network was trained on {', '.join(self.classes) or 'none'}"
            )

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

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Store what it takes to load the weights, and the identity of the tokenizer."""
        super().on_save_checkpoint(checkpoint)
        assert self.layout is not None
        checkpoint["tokenizer"] = self.tokenizer.identity()
        checkpoint["trained_for"] = {"classes": self.classes, **vars(self.layout)}
        checkpoint["training_clips"] = self.data.training_clips()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse another tokenizer, data that do not fit, and other weights; create the layers as they were trained.

        Raises:
            UserError: If something differs.
        """
        self.tokenizer.check(checkpoint.get("tokenizer"), "the checkpoint")
        dataset = checkpoint.get("trajvq", {}).get("dataset")  # all that older checkpoints tell
        self.trained_on = checkpoint.get("training_clips") or ({"dataset": dataset} if dataset else {})
        layout, classes = trained_for(checkpoint.get("trained_for", {}), "the checkpoint")
        if (layout, classes) != (self.layout, self.classes):
            if self._trainer is not None and self.trainer.state.fn == "fit":
                assert self.layout is not None
                raise UserError(
                    f"the checkpoint was trained on {layout.grid} tokens and the classes {', '.join(classes)}, "
                    f"the data have {self.layout.grid} and {', '.join(self.classes)}; give the data it was trained for"
                )
            self._build(layout, classes)
            if self._trainer is not None:
                self.check_data()
        super().on_load_checkpoint(checkpoint)
