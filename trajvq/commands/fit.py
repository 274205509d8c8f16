"""``fit``, ``validate``, ``test`` and ``predict``: the LightningCLI, its run folders and its standard callbacks."""

import errno
import logging
import os
import re
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning as L
import torch
import yaml
from jsonargparse import ArgumentError, set_parsing_settings
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import EMAWeightAveraging, ModelCheckpoint
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.strategies import ModelParallelStrategy
from lightning.pytorch.utilities import rank_zero_only

from trajvq.augment import ClipSymmetries, ObjectWindows
from trajvq.callbacks import (
    CollapseWatch,
    ConfusionPicture,
    ForecastPictures,
    LastCheckpoint,
    PredictionFile,
    PredictionTable,
    ProvenanceNote,
    ReconstructionStrips,
    RemoteMirror,
    SamplePictures,
    ScoreboardFile,
    SpotInterruption,
    StepSeeds,
    WandbPanels,
    progress_bar,
)
from trajvq.callbacks.panels import BEST
from trajvq.commands.arguments import resolved
from trajvq.commands.parser import unknown_option
from trajvq.data.datamodule import TrajectoryDataModule
from trajvq.errors import UserError
from trajvq.io.cache import local_copy
from trajvq.io.checkpoint import read_checkpoint
from trajvq.io.files import file_sha256, write_text
from trajvq.io.urls import check_url, is_remote, refuse_credentials
from trajvq.losses import BalancedLoss, PlainLoss
from trajvq.models import FSQ, LFQ, VQ, CausalTokenizer, Forecaster, Generator, LinearProbe, SimVQ, TokenClassifier
from trajvq.optim.strategy import Sharded
from trajvq.runs.checkpoints import WholeCheckpointIO, newest_whole
from trajvq.runs.folder import LATEST, best, finish, new_name, open_run
from trajvq.runs.loggers import loggers, test_loggers
from trajvq.runs.mirror import fetch_run, run_of
from trajvq.runs.resume import changes, check_dataset
from trajvq.tasks import Classify, Forecast, Reconstruct, Sample
from trajvq.tokens.datamodule import TokenDataModule

# Importing these lets a config name them in a word.
__all__ = [
    "FSQ",
    "LFQ",
    "VQ",
    "BalancedLoss",
    "CausalTokenizer",
    "Classify",
    "ClipSymmetries",
    "Forecast",
    "Forecaster",
    "Generator",
    "LinearProbe",
    "ObjectWindows",
    "PlainLoss",
    "Reconstruct",
    "Sample",
    "Sharded",
    "SimVQ",
    "SpotInterruption",
    "TokenClassifier",
    "TokenDataModule",
    "TrajectoryDataModule",
    "main",
]

STRICT = {"parser_mode": "omegaconf+", "exit_on_error": False, "allow_abbrev": False}
VERBS = ("fit", "validate", "test", "predict")
# What Lightning says about settings that are meant.
MEANT = (
    "LightningCLI's args parameter",
    ".*isinstance\\(treespec, LeafSpec\\)",
    ".*callbacks used to create the checkpoint",
    "You're using the WeightAveraging callback",  # where weights are sharded it is left out
    "The dirpath has changed",
    ".*does not have many workers",
    "The number of training batches",
    "It is recommended to use .*sync_dist",  # scoreboards gather from all processes themselves
    "Checkpoint directory .* exists and is not empty",
)


say = rank_zero_only(print)


def _new_name(root: Path) -> str:
    """Name a run by date and time; the processes that Lightning starts for more devices take their parent's."""
    if "LOCAL_RANK" not in os.environ:
        os.environ["TRAJVQ_RUN"] = new_name(root)
    if "TRAJVQ_RUN" not in os.environ:
        raise UserError("processes started by a launcher need a common name for the run; set --run")
    return os.environ["TRAJVQ_RUN"]


class TrajvqCLI(LightningCLI):
    """One run: parse, choose its folder and checkpoint, build, and do it."""

    def __init__(self, arguments: Sequence[str], command: Sequence[str]) -> None:
        set_parsing_settings(omegaconf_absolute_to_relative_paths=True)
        self.run_folder, self.checkpoint, self.resumed = Path(), "", False
        self.command = command  # as it was typed
        self.content: dict[str, Any] = {}  # of the checkpoint
        super().__init__(
            model_class=L.LightningModule,
            datamodule_class=L.LightningDataModule,
            subclass_mode_model=True,
            subclass_mode_data=True,
            save_config_callback=None,
            seed_everything_default=0,
            auto_configure_optimizers=False,
            parser_kwargs=STRICT | {verb: STRICT for verb in VERBS},
            args=list(arguments),
        )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.add_argument("--run_root", type=str, default="runs", help="folder of the task's runs")
        parser.add_argument("--run", type=str | None, default=None, help="name of the run (default: date and time)")
        parser.add_lightning_class_args(EMAWeightAveraging, "ema")
        parser.add_lightning_class_args(LastCheckpoint, "checkpoint")
        parser.add_lightning_class_args(CollapseWatch, "collapse")
        parser.add_lightning_class_args(ReconstructionStrips, "strips")
        parser.add_lightning_class_args(RemoteMirror, "mirror")

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse; of an option that there is not, say which was probably meant."""
        try:
            super().parse_arguments(parser, args)
        except ArgumentError as error:
            verb = self._subcommand_parsers.get(args[0]) if args else None
            options = list(verb._option_string_actions) if verb else []
            classes = [name for name in __all__ if name != "main"]
            raise UserError(unknown_option(str(error), options, classes) or _one_line(error)) from None

    def _parse_ckpt_path(self) -> None:
        """Leave the settings as they were given; Lightning replaces them by the checkpoint's without a word."""

    def before_instantiate_classes(self) -> None:
        config = self.config[self.subcommand]
        root = Path(config.run_root)
        refuse_credentials(str(config.as_dict()))
        mirror = check_url(config.mirror.url) if config.mirror.url else None
        if self.subcommand == "fit":
            self.run_folder = open_run(root, config.run or _new_name(root))
            if mirror and config.run:
                fetch_run(mirror, self.run_folder)
            found = newest_whole(self.run_folder)
            if found:
                self.resumed = True
                config.ckpt_path = str(found[0])
                say(found[1] or f"continuing {self.run_folder}")
        else:
            run = root / (config.run or LATEST)
            if mirror and config.run and not config.ckpt_path and not best(run).exists():
                fetch_run(mirror, run, finished=True)
            config.ckpt_path = config.ckpt_path or str(best(run))
            self.run_folder = Path(config.ckpt_path).parent.parent
            if is_remote(config.ckpt_path):
                self.run_folder = root / (config.run or run_of(config.ckpt_path))
        if self.subcommand == "test":
            config.verbose = False  # the scoreboard says it better
        if config.ckpt_path:
            path = local_copy(config.ckpt_path)
            self.content = read_checkpoint(path)
            self.checkpoint = config.ckpt_path if is_remote(config.ckpt_path) else os.path.relpath(path.resolve())
            config.ckpt_path = str(path)
            say(f"checkpoint: {self.checkpoint} (sha256 {file_sha256(path)[:12]})")

    def instantiate_classes(self) -> None:
        """Build model, data and trainer; what they refuse is a mistake in the settings."""
        try:
            super().instantiate_classes()
        except ValueError as error:
            raise UserError(_one_line(error)) from error

    def instantiate_trainer(self, **kwargs: Any) -> L.Trainer:
        config = self._get(self.config_init, "trainer")
        standard: list[L.Callback] = [progress_bar(), ProvenanceNote(self.run_folder, self.command), WandbPanels()]
        task, monitor = getattr(self.model, "task", "custom"), getattr(self.model, "monitor", None)
        if self.subcommand == "fit":
            folder = self.run_folder / "checkpoints"
            common: dict[str, Any] = {"dirpath": folder, "enable_version_counter": False}
            if monitor:
                mode = BEST.get(monitor.rpartition("/")[2], "max")
                standard.append(ModelCheckpoint(filename="best", monitor=monitor, mode=mode, **common))
            seed = self.config[self.subcommand].seed_everything
            standard.append(StepSeeds(int(os.environ.get("PL_GLOBAL_SEED", seed))))
            if config["logger"] is None or config["logger"] is True:
                kwargs["logger"] = loggers(self.run_folder, task)
            self._save_config()
            every, batches = config["val_check_interval"], config["max_steps"] * config["accumulate_grad_batches"]
            if isinstance(every, int) and batches > every and batches % every:
                say(
                    f"the end of the run is not validated: best.ckpt will not know its last {batches % every:,} batches"
                    "; set trainer.val_check_interval to a divisor of trainer.max_steps"
                )
            weights = sum(p.numel() for p in self.model.parameters())
            size = f"{weights:,} weights, " if weights else ""  # some networks are made when the data are known
            say(f"run: {self.run_folder}  {size}{config['max_steps']:,} steps", flush=True)
        else:
            standard.append(ScoreboardFile(self.run_folder, self.checkpoint))
            standard.append((PredictionTable if task == "classify" else PredictionFile)(self.run_folder))
            wanted = self.subcommand == "test" and config["logger"] in (None, True)
            kwargs["logger"] = (wanted and test_loggers(self.run_folder, task)) or False
        if task == "classify":
            standard.append(ConfusionPicture())
        if task == "forecast":
            standard.append(ForecastPictures(self.run_folder))
        if task == "sample":
            standard.append(SamplePictures())
        if task != "recon":  # these look at reconstructions
            keys = self._parser(self.subcommand).callback_keys
            keys[:] = [key for key in keys if key not in ("collapse", "strips")]
        # Lightning's tips and its profiler's table come through one log: keep it only for the table.
        level = logging.INFO if config["profiler"] else logging.WARNING
        logging.getLogger("lightning.pytorch").setLevel(level)
        kwargs["plugins"] = [*_listed(config["plugins"]), WholeCheckpointIO()]
        if isinstance(self.datamodule, TrajectoryDataModule):
            kwargs["use_distributed_sampler"] = False  # it shares its clips among processes itself
            if config["max_epochs"] is not None:
                raise UserError("runs stop by trainer.max_steps, since the learning rate needs it; drop max_epochs")
            if config["limit_train_batches"] not in (None, 1.0):
                raise UserError(
                    "a run is one pass of trainer.max_steps; for fewer clips set data.train_clips instead of "
                    "trainer.limit_train_batches"
                )
            warnings.filterwarnings("ignore", "You're resuming from a checkpoint that ended before the epoch ended")
        kwargs["enable_model_summary"] = False
        kwargs["enable_progress_bar"] = sys.stdout.isatty()
        kwargs["default_root_dir"] = str(self.run_folder)
        kwargs["callbacks"] = [*(config["callbacks"] or []), *standard]
        trainer = super().instantiate_trainer(**kwargs)
        # Last, so that it sees what the others have written, at an exception too.
        trainer.callbacks.sort(key=lambda one: isinstance(one, RemoteMirror))  # type: ignore[attr-defined]
        return trainer

    def _instantiate_trainer(self, config: Any, callbacks: list[L.Callback]) -> L.Trainer:
        """Leave the averaging of weights out where they are sharded: it would hold them whole."""
        if isinstance(config["strategy"], ModelParallelStrategy):
            say("weights are sharded: no moving average of them (ema)")
            callbacks = [c for c in callbacks if not isinstance(c, EMAWeightAveraging)]
        return super()._instantiate_trainer(config, callbacks)

    @rank_zero_only
    def _save_config(self) -> None:
        """Write ``config.yaml``, which ``--config`` accepts again; say what changed if the run is continued."""
        config = self.config[self.subcommand].clone()
        for name in ("config", "ckpt_path", "weights_only", "run"):
            config.pop(name, None)
        parser = self._parser(self.subcommand)
        text = parser.dump(config, skip_none=False, skip_validation=True)
        if self.resumed:
            for line in changes(self.run_folder, yaml.safe_load(text)):
                print(f"changed since the run began, and used from now on: {line}")
            if isinstance(self.datamodule, TrajectoryDataModule):
                data = self.datamodule
                check_dataset(self.content, self.run_folder, data.path, data.manifest.sha256)
        write_text(self.run_folder / "config.yaml", text)

    def after_fit(self) -> None:
        """Mark the run as complete and say what to do next."""
        if self.trainer.interrupted or not self.trainer.is_global_zero or getattr(self.trainer, "fast_dev_run", False):
            return
        if not best(self.run_folder).exists():
            print(f"no validation ran, so {self.run_folder} has no best.ckpt; test it with --ckpt_path .../last.ckpt")
        finish(self.run_folder, self.trainer.global_step)
        for callback in self.trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(callback, RemoteMirror):
                callback.complete()
        media = self.run_folder / "media"
        print(f"finished: {self.run_folder}" + (f"; pictures: {media}" if media.exists() else ""))


def _listed(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]


def _one_line(error: BaseException) -> str:
    """Reduce a parser's message to the line that says what is wrong."""
    lines = [line.strip(" -") for line in str(error).splitlines() if line.strip(" -")]
    if lines[0].startswith("Does not validate") and "Errors:" in lines:
        lines = lines[lines.index("Errors:") + 1 :]  # what the wanted class says comes first
    inner = [number for number, line in enumerate(lines) if line.startswith("Problem with given class_path")]
    lines = lines[inner[-1] if inner else 0 :]
    lines = [line for line in lines if line != "Expected a <class 'NoneType'>" and not line.startswith("Given value")]
    return re.sub(r"\s+", " ", "; ".join(lines)).replace(":;", ":")[:600]


def main(arguments: Sequence[str]) -> int:
    """Run one verb; returns the exit code.

    Raises:
        UserError: With one line for the user.
    """
    sys.path.insert(0, os.getcwd())  # networks of the user's own are found by their class path
    torch.set_float32_matmul_precision("high")
    torch.set_flush_denormal(True)  # numbers near 0 slow a CPU down tenfold
    for message in MEANT:
        warnings.filterwarnings("ignore", message)
    for word in arguments:
        refuse_credentials(word)
    try:
        TrajvqCLI(resolved(arguments), arguments)
    except (ArgumentError, MisconfigurationException) as error:
        raise UserError(_one_line(error)) from None
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise UserError(
            f"cannot write {error.filename or 'the run folder'}: {error.strerror}; make room and start the same "
            "command again, it goes on from the last checkpoint"
        ) from None
    finally:
        wandb = sys.modules.get("wandb")
        if wandb is not None and wandb.run is not None:  # or the next run in this process would go on in this one
            wandb.finish()
    return 0
