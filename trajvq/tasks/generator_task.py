"""GeneratorTask: what the tasks that train a generator share: its parts, and whether a trajectory is one of them."""

from collections.abc import Mapping
from typing import Any, Literal

from lightning.pytorch.utilities import rank_zero_only
from torch import nn

from trajvq.augment import PathSymmetries, path_symmetries
from trajvq.models.generator import Generator
from trajvq.models.trajectory_model import AdaptiveTrajectory
from trajvq.tasks.few_clips import clips_per_step, limit_passes
from trajvq.tasks.token_task import TokenTask
from trajvq.tasks.trajectory_choice import look_at
from trajvq.tokens.protocol import module_of, spec_of


class GeneratorTask(TokenTask):
    """A task that trains a `trajvq.models.Generator`.

    Args:
        tokenizer_ckpt: Checkpoint of the tokenizer.
        network: The generator.
        trajectory: ``auto`` leaves the trajectory and appearance models out where the objects of the training clips are
            not tracked reliably, and says so; ``always`` keeps them, for the largest object unless the network says
            otherwise.
        max_passes: Passes over the training clips at most; where these are few, training ends before the trainer's
            ``max_steps``. None for no such end.
        learning_rate: Peak learning rate of AdamW.
        matrix_learning_rate: Peak learning rate of Muon, for matrices; None trains all parameters by AdamW.
        settings: The other arguments of `TokenTask`.
    """

    def __init__(
        self,
        tokenizer_ckpt: str,
        network: Generator,
        trajectory: Literal["auto", "always"] = "auto",
        max_passes: int | None = None,
        learning_rate: float = 3e-3,
        matrix_learning_rate: float | None = 0.02,
        **settings: Any,
    ) -> None:
        rates = {"learning_rate": learning_rate, "matrix_learning_rate": matrix_learning_rate}
        super().__init__(tokenizer_ckpt, network, **rates, **settings)
        self.trajectory, self.max_passes = trajectory, max_passes
        self.clips_per_step: int | None = None  # when the run began

    @property
    def progress(self) -> float:
        """Share of the training that is done, 0 to 1."""
        return self.global_step / self.total_steps

    @property
    def generator(self) -> Generator:
        """The network."""
        assert isinstance(self.network, Generator)
        return self.network

    @property
    def _clips(self) -> int:
        """Number of training clips."""
        clips = len(self.data.clips("train"))
        return min(self.data.train_clips or clips, clips)

    def configure_optimizers(self) -> Any:
        """Shorten the training where clips are few. A checkpoint, if any, is loaded by now."""
        if self.clips_per_step is None:
            self.clips_per_step = clips_per_step(self.trainer, self._clips, self.data.batch_size)
        if self.max_passes is not None:
            line = limit_passes(self.trainer, self._clips, self.clips_per_step, self.max_passes)
            if line:
                self.total_steps = self.trainer.max_steps
                self._say(line)
        return super().configure_optimizers()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Store the network as it was chosen, and the clips per step; see `TokenTask.on_save_checkpoint`."""
        super().on_save_checkpoint(checkpoint)
        checkpoint["hyper_parameters"]["network"] = spec_of(self.network)
        checkpoint["clips_per_step"] = self.clips_per_step

    def configure_model(self) -> None:
        """Choose whether to model a trajectory, before the layers are created; see `TokenTask.configure_model`.

        A run that continues chooses again, by the same clips.
        """
        training = self._trainer is not None and self.trainer.state.fn == "fit"
        model = self.generator.trajectory
        open_choice = self.trajectory == "auto" or isinstance(model, AdaptiveTrajectory)
        if training and self.layout is None and model is not None and open_choice:
            self._choose_trajectory()
        super().configure_model()
        if self._trainer is not None:
            self.data.objects = self.generator.count

    def _choose_trajectory(self) -> None:
        """Look at the tracks of training clips, leave the trajectory out or let its model choose by them."""
        choice = look_at(self.data, self.tokenizer) if self.trainer.is_global_zero else None
        choice = self.trainer.strategy.broadcast(choice)
        assert choice is not None
        if self.trajectory == "auto":
            self._say(str(choice))
        if self.trajectory == "auto" and not choice.modeled:
            self._leave_out_trajectory()
            return
        if self.trajectory == "auto" and self.generator.objects == "auto":
            self.generator.objects = choice.objects
        if isinstance(self.generator.trajectory, AdaptiveTrajectory):
            symmetric = isinstance(path_symmetries(self.data.augment), PathSymmetries)
            self._say(self.generator.trajectory.adapt(choice.tracks, symmetric))

    def _say(self, line: str) -> None:
        """Print how the training adapts to its clips, once, and keep it for the run's description."""
        self.adapted.append(line)
        rank_zero_only(print)(line, flush=True)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Leave out what the training left out, and take over how it adapted; see `TokenTask.on_load_checkpoint`."""
        spec = checkpoint.get("hyper_parameters", {}).get("network") or {}
        arguments = spec.get("init_args", {})
        stored, own = arguments.get("trajectory", spec), self.generator.trajectory
        self._take_over(arguments.get("objects", 1))
        if self.trajectory == "auto" and stored is None and own is not None:
            self._leave_out_trajectory()
            self._build_again()
        elif isinstance(own, nn.Module) and isinstance(own, AdaptiveTrajectory) and _adapted(spec_of(own), stored):
            self.generator.trajectory = module_of(stored)
            self._build_again()
        super().on_load_checkpoint(checkpoint)
        if self._trainer is not None and self.trainer.state.fn == "fit":
            self.clips_per_step = checkpoint.get("clips_per_step")

    def _take_over(self, objects: int | Literal["auto"]) -> None:
        """Take over the number of objects of the training, where the config leaves it open."""
        before = self.generator.count
        if self.generator.objects == "auto":
            self.generator.objects = objects
        if self.generator.count != before:
            self._build_again()
        if self._trainer is not None:
            self.data.objects = self.generator.count

    def _build_again(self) -> None:
        if self.layout is not None:
            self._build(self.layout, self.classes)

    def _leave_out_trajectory(self) -> None:
        self.network: nn.Module = Generator(self.generator.tokens)
        if self._trainer is not None:
            self.data.tracks = self.data.eval_tracks = False  # nothing learns from them


def _adapted(own: Mapping[str, Any], stored: Mapping[str, Any] | None) -> bool:
    """Return whether the stored trajectory model is this one with arguments chosen that are open here."""
    if stored is None or stored["class_path"] != own["class_path"] or stored == own:
        return False
    theirs = stored["init_args"]
    return all(theirs.get(name) == value for name, value in own["init_args"].items() if value not in (None, "auto"))
