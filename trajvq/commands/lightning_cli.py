"""TrajvqCLI: parse a training command, choose its run folder and checkpoint, build everything and run it."""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import lightning as L
import yaml
from jsonargparse import ArgumentError, set_parsing_settings
from lightning.fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning.pytorch.callbacks import EMAWeightAveraging, Timer
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.strategies import ModelParallelStrategy
from lightning.pytorch.utilities import rank_zero_only
from omegaconf.errors import OmegaConfBaseException

from trajvq.callbacks import CollapseWatch, LastCheckpoint, ReconstructionStrips, RemoteMirror
from trajvq.callbacks.protocols import HasInitialWeights, HasScoreboards
from trajvq.commands import registry, trainer
from trajvq.commands.cluster import check_tasks, launched_together
from trajvq.commands.default_weights import check_complete, default_weights
from trajvq.commands.help import VERBS
from trajvq.commands.messages import explain, explain_interpolation, first_problem
from trajvq.data.datamodule import TrajectoryDataModule
from trajvq.errors import UserError
from trajvq.io.cache import local_copy
from trajvq.io.checkpoint import read_checkpoint
from trajvq.io.files import file_sha256, write_text
from trajvq.io.urls import check_url, is_remote, refuse_credentials
from trajvq.runs.checkpoints import newest_whole
from trajvq.runs.folder import LATEST, PACKAGED, best, finish, new_name, open_run, training
from trajvq.runs.mirror import fetch_run, run_of
from trajvq.runs.resume import changes, check_dataset
from trajvq.tokens.weights import DEFAULT

STRICT = {"parser_mode": "omegaconf+", "exit_on_error": False, "allow_abbrev": False}
# Settings of one start of a run, which its config.yaml must not repeat.
NOT_SAVED = ("config", "ckpt_path", "weights_only", "run")

say = rank_zero_only(print)


class TrajvqCLI(LightningCLI):
    """Run one training command.

    Args:
        arguments: The command line as the parser wants it, see `trajvq.commands.arguments`.
        command: The command line as the user typed it.
    """

    def __init__(self, arguments: Sequence[str], command: Sequence[str]) -> None:
        set_parsing_settings(omegaconf_absolute_to_relative_paths=True)
        self.command = command
        self.run_folder = Path()
        self.checkpoint = ""  # its path or URL, as messages and scoreboards name it
        self.content: dict[str, Any] = {}  # of the checkpoint
        self.resumed = False
        with ExitStack() as self.locks:  # until the command has run
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

    def _prepare_subcommand_parser(self, klass: type, subcommand: str, **kwargs: Any) -> LightningArgumentParser:
        """Leave out the options of the commands that do not run: Lightning takes half a second to collect them."""
        if subcommand != self.command[0]:
            return self.init_parser(**kwargs)
        return super()._prepare_subcommand_parser(klass, subcommand, **kwargs)

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse the command line and explain mistakes in one line.

        Raises:
            UserError: If an option, a class or a value is wrong.
        """
        try:
            super().parse_arguments(parser, args)
        except ArgumentError as error:
            verb = self._subcommand_parsers.get(args[0]) if args else None
            options = list(verb._option_string_actions) if verb else []
            raise UserError(explain(str(error), options, registry.__all__) or first_problem(error)) from None
        except OmegaConfBaseException as error:
            raise UserError(explain_interpolation(error)) from None

    def _parse_ckpt_path(self) -> None:
        """Keep the settings of the command line. Lightning would silently replace them by the checkpoint's."""

    def before_instantiate_classes(self) -> None:
        """Choose the run folder and the checkpoint, and print which checkpoint it is."""
        config = self.config[self.subcommand]
        refuse_credentials(str(config.as_dict()))
        mirror = check_url(config.mirror.url) if config.mirror.url else None
        if self.subcommand == "fit":
            if config.ckpt_path == DEFAULT:
                check_complete({}, DEFAULT)
            self._open_run(config, mirror)
        elif config.ckpt_path == DEFAULT:
            self.run_folder, self.checkpoint = Path(config.run_root) / PACKAGED, DEFAULT
            config.ckpt_path = str(default_weights(config, self.run_folder, self.command))
        else:
            self._find_run(config, mirror)
        if config.ckpt_path:
            path = local_copy(config.ckpt_path)
            self.content = read_checkpoint(path, or_default=self.subcommand != "fit")
            named = self.checkpoint or (config.ckpt_path if is_remote(config.ckpt_path) else "")
            self.checkpoint = named or os.path.relpath(path.resolve())
            config.ckpt_path = str(path)
            if self.subcommand == "fit":
                check_complete(self.content, self.checkpoint)
            say(f"checkpoint: {self.checkpoint} (sha256 {file_sha256(path)[:12]})")

    def _open_run(self, config: Any, mirror: str | None) -> None:
        """Create the folder of a new run, or continue an unfinished one from its last checkpoint."""
        root = Path(config.run_root)
        self.run_folder = open_run(root, config.run or _shared_name(root))
        if getattr(rank_zero_only, "rank", 0) == 0:
            self.locks.enter_context(training(self.run_folder))
        if mirror and config.run:
            fetch_run(mirror, self.run_folder)
        newest = newest_whole(self.run_folder)
        if newest:
            path, warning = newest
            self.resumed = True
            config.ckpt_path = str(path)
            say(warning or f"continuing {self.run_folder}")

    def _find_run(self, config: Any, mirror: str | None) -> None:
        """Find the checkpoint to evaluate, and the run folder that it belongs to."""
        root = Path(config.run_root)
        run = root / (config.run or LATEST)
        if mirror and config.run and not config.ckpt_path and not best(run).exists():
            fetch_run(mirror, run, finished=True)
        config.ckpt_path = config.ckpt_path or str(best(run))
        self.run_folder = Path(config.ckpt_path).parent.parent
        if is_remote(config.ckpt_path):
            self.run_folder = root / (config.run or run_of(config.ckpt_path))

    def instantiate_classes(self) -> None:
        """Build model, data and trainer.

        Raises:
            UserError: If one of them refuses its settings.
        """
        try:
            super().instantiate_classes()
        except ValueError as error:
            raise UserError(first_problem(error)) from error

    def instantiate_trainer(self, **kwargs: Any) -> L.Trainer:
        config, verb = self._get(self.config_init, "trainer"), str(self.subcommand)
        callbacks = trainer.common_callbacks(self.command)
        settings = trainer.data_settings(config, self.datamodule) | trainer.fixed_settings(config, self.run_folder)
        settings |= trainer.logger_settings(verb, config["logger"], self.model, self.run_folder)
        if verb == "fit":
            self._check_initial_weights()
            callbacks += trainer.fit_callbacks(self.model, self.run_folder, self.config[verb].seed_everything)
            self._save_config()
            trainer.announce(config, self.model, self.run_folder)
        else:
            callbacks += trainer.evaluation_callbacks(self.model, self.checkpoint)
        if verb == "test" and isinstance(self.model, HasScoreboards):
            self.config_init[verb]["verbose"] = False  # the scoreboard replaces Lightning's table
        settings["callbacks"] = [*trainer.as_list(config["callbacks"]), *callbacks]
        return super().instantiate_trainer(**settings, **kwargs)

    def _check_initial_weights(self) -> None:
        """Let a run that continues keep its own weights.

        Raises:
            UserError: If a new run has two sources of weights.
        """
        if isinstance(self.model, HasInitialWeights) and self.checkpoint:
            if self.model.init_from is not None and not self.resumed:
                raise UserError("--ckpt_path and model.init_from both give the weights; leave out one of them")
            self.model.resumed = True

    def _instantiate_trainer(self, config: Any, callbacks: list[L.Callback]) -> L.Trainer:
        """Leave out the moving average of sharded weights, since it would hold them unsharded.

        `LastCheckpoint` enforces ``max_time``, since for Lightning such a run is finished.
        """
        max_time = Timer(config["max_time"]).time_remaining()
        config["max_time"] = None
        for callback in callbacks:
            if isinstance(callback, LastCheckpoint):
                callback.max_time = max_time
        if isinstance(config["strategy"], ModelParallelStrategy):
            say("weights are sharded: there is no moving average of them (ema)")
            callbacks = [c for c in callbacks if not isinstance(c, EMAWeightAveraging)]
        built = super()._instantiate_trainer(config, callbacks)
        environment = next((p for p in trainer.as_list(config["plugins"]) if isinstance(p, ClusterEnvironment)), None)
        check_tasks(environment, built.num_devices, built.num_nodes)
        return built

    @rank_zero_only
    def _save_config(self) -> None:
        """Write ``config.yaml``, which ``--config`` reads again. Print what changed since a continued run began."""
        config = self.config[self.subcommand].clone()
        for name in NOT_SAVED:
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

    def before_predict(self) -> None:
        """Keep no predictions in memory: callbacks write each batch to a file."""
        self.config_init["predict"]["return_predictions"] = False

    def after_fit(self) -> None:
        """Mark the run as complete and print where it is."""
        if self.trainer.interrupted or not self.trainer.is_global_zero or getattr(self.trainer, "fast_dev_run", False):
            return
        if not best(self.run_folder).exists():
            reason = "no validation ran" if getattr(self.model, "monitor", None) else "the task has no monitor"
            print(f"{reason}, so {self.run_folder} has no best.ckpt; test it with --ckpt_path .../last.ckpt")
        finish(self.run_folder, self.trainer.global_step)
        for callback in self.trainer.checkpoint_callbacks:
            if isinstance(callback, RemoteMirror):
                callback.complete()
        media = self.run_folder / "media"
        print(f"finished: {self.run_folder}" + (f"; pictures: {media}" if media.exists() else ""))


def _shared_name(root: Path) -> str:
    """Name a run by date and time. The processes that Lightning starts for more devices take their parent's name.

    Raises:
        UserError: If another launcher started the processes, so that they have no name in common.
    """
    if not launched_together():
        os.environ["TRAJVQ_RUN"] = new_name(root)
    if "TRAJVQ_RUN" not in os.environ:
        raise UserError("processes of a launcher need a common name for the run; set --run")
    return os.environ["TRAJVQ_RUN"]
