"""W&B runs: online if the server answers, offline otherwise, and never a reason for a training to end."""

import os
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning as L
from lightning.fabric.loggers.logger import _DummyExperiment as DummyExperiment
from lightning.fabric.loggers.logger import rank_zero_experiment
from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.utilities import rank_zero_only

from trajvq.errors import UserError, first_line
from trajvq.io.files import write_text

WANDB_ID = "wandb.id"  # file with the W&B run that a continued run goes on logging to
MODES = {"online": "online", "run": "online", "shared": "shared", "offline": "offline", "dryrun": "offline"}
ANSWER_SECONDS = 4.0  # that the server has to answer at the start of a run
INIT_SECONDS = 10.0  # that it has to accept the run
FINISH_SECONDS = 60.0  # that the end of a run waits for unfinished uploads

say = rank_zero_only(print)


class Wandb(WandbLogger):
    """Log to W&B as long as it works. An error of W&B ends the logging with one line, and the training goes on.

    Settings of the environment, such as ``WANDB_PROJECT``, ``WANDB_RUN_GROUP``, ``WANDB_NAME``, ``WANDB_DIR``,
    ``WANDB_ENTITY`` and ``WANDB_TAGS``, come before those of the package.

    Args:
        run: The run folder.
        task: Name of the task: the group of the run.
    """

    def __init__(self, run: Path, task: str) -> None:
        import wandb  # here, because the import takes a second

        environment = os.environ.get
        folder = Path(environment("WANDB_DIR") or run).absolute()  # its service keeps the folder it was started in
        settings: dict[str, Any] = {"init_timeout": INIT_SECONDS, "silent": True}
        mode, self.why_offline = _mode()  # before the run gets an id, since it checks the settings
        unset = {name: value for name, value in settings.items() if f"WANDB_{name.upper()}" not in os.environ}
        super().__init__(
            name=environment("WANDB_NAME") or run.resolve().name,
            save_dir=folder,
            project=environment("WANDB_PROJECT") or "trajvq",
            group=environment("WANDB_RUN_GROUP") or task,
            id=_run_id(run),
            resume=environment("WANDB_RESUME") or "allow",
            mode=mode,
            settings=wandb.Settings(**unset),
        )
        self._wandb_init.pop("anonymous", None)  # Lightning always sets it, and W&B warns about it
        self.failed = False

    @property
    @rank_zero_experiment
    def experiment(self) -> Any:
        """The W&B run. If the server does not accept it, it is an offline run; after an error, a dummy."""
        if not self.failed:
            with surviving(self):
                return self._run()
        return DummyExperiment()

    def _run(self) -> Any:
        """Return the W&B run. Start it if there is none, and say where it is if it is offline."""
        if self._experiment is None and self._wandb_init["mode"] != "offline":
            import wandb

            try:
                return super().experiment
            except wandb.Error as error:
                self._wandb_init["mode"], self.why_offline = "offline", first_line(error)
        run = super().experiment
        if self.why_offline:
            folder = Path(run.dir).parent.parent  # W&B chooses another one if it cannot write to WANDB_DIR
            say(f"W&B is offline ({self.why_offline}); upload the run with `wandb sync {folder}/offline-*`", flush=True)
            self.why_offline = ""
        return run

    @rank_zero_only
    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        """Log figures."""
        with surviving(self):
            super().log_metrics(metrics, step)

    @rank_zero_only
    def log_hyperparams(self, params: Any) -> None:
        """Log settings."""
        with surviving(self):
            super().log_hyperparams(params)

    @rank_zero_only
    def finalize(self, status: str) -> None:
        """Log nothing: no checkpoint is uploaded to W&B."""


@contextmanager
def surviving(logger: WandbLogger) -> Iterator[None]:
    """Do something with a W&B run. If W&B fails, say so once; the training goes on without it.

    Args:
        logger: The logger whose run is used.
    """
    try:
        yield
    except Exception as error:  # whatever W&B raises when its process or server is gone
        if not isinstance(logger, Wandb):
            raise
        if not logger.failed:
            logger.failed = True
            say(
                f"W&B failed ({first_line(error)}); the run goes on without it, metrics.csv has every figure",
                flush=True,
            )


def wandb_logger(run: Path, task: str) -> list[Wandb]:
    """Return the W&B logger of a run, or none if the environment disables W&B or W&B refuses its settings.

    Args:
        run: The run folder.
        task: Name of the task, by which W&B groups runs.

    Raises:
        UserError: If ``WANDB_MODE`` is none of W&B's modes.
    """
    if wandb_disabled():
        return []
    import wandb

    try:
        return [Wandb(run, task)]
    except (wandb.Error, ValueError, OSError) as error:
        say(f"W&B is off ({_refused_variable() or first_line(error)}); metrics.csv has every figure", flush=True)
        return []


def wandb_loggers(trainer: L.Trainer) -> list[WandbLogger]:
    """Return the W&B loggers that this process logs to."""
    return [x for x in trainer.loggers if isinstance(x, WandbLogger)] if trainer.is_global_zero else []


def finish_wandb() -> None:
    """End the W&B run of this process, if there is one. It waits for uploads for at most `FINISH_SECONDS`."""
    import wandb

    run = wandb.run
    if run is None:
        return
    failures: list[Exception] = []
    if not _within(FINISH_SECONDS, run.finish, failures):
        say(f"W&B has not taken all of the run within {FINISH_SECONDS:g} s; repeat with `wandb sync {run.dir}/..`")
    for error in failures:
        say(f"W&B failed at the end of the run ({first_line(error)}); metrics.csv has every figure")


def wandb_disabled() -> bool:
    """Return whether the environment turns W&B off: ``WANDB_MODE=disabled`` or ``WANDB_DISABLED=true``."""
    off = os.environ.get("WANDB_DISABLED", "").strip().lower() in ("1", "true", "yes", "on")
    return off or _named_mode() == "disabled"


def _named_mode() -> str:
    return os.environ.get("WANDB_MODE", "").strip().lower()


def _mode() -> tuple[str, str]:
    """Check W&B's settings, and return the mode of a new run and, if it is offline, why.

    Raises:
        UserError: If ``WANDB_MODE`` is none of W&B's modes.
    """
    import wandb

    name = _named_mode() or "online"
    if name not in MODES:
        raise UserError(f"WANDB_MODE is {name!r}; set it to online, offline or disabled")
    if "WANDB_MODE" in os.environ:
        os.environ["WANDB_MODE"] = name  # W&B itself refuses capitals, spaces and an empty one
    quiet = None if "WANDB_SILENT" in os.environ else wandb.Settings(silent=True)  # else it tells where the key was
    settings = wandb.setup(quiet).settings
    if MODES[name] == "offline":
        reason = f"WANDB_MODE is {name}"
    else:
        reason = _missing_key() or _unreachable(settings.base_url)
    return ("offline" if reason else MODES[name]), reason


def _missing_key() -> str:
    """Return why there is no key for the server, or nothing if there is one."""
    import wandb

    try:
        return "" if wandb.login(prompt=False, verify=False) else "there is no key"
    except wandb.Error as error:
        return first_line(error)


def _refused_variable() -> str:
    """Return the first variable of the environment that W&B refuses, and why, or nothing if there is none."""
    import wandb
    from pydantic import ValidationError  # W&B checks its settings with it

    for name, value in os.environ.items():
        try:
            wandb.Settings().update_from_env_vars({name: value})
        except ValidationError as error:
            return f"{name}: {error.errors()[0]['msg']}"
        except wandb.Error as error:
            return f"{name}: {first_line(error)}"
    return ""


def _unreachable(url: str) -> str:
    """Return why a server cannot be used, or nothing if it answers."""
    failures: list[Exception] = []

    def ask() -> None:
        try:
            urllib.request.urlopen(f"{url.rstrip('/')}/healthz", timeout=ANSWER_SECONDS).close()
        except urllib.error.HTTPError as error:
            if error.code >= 500:  # any other answer is one of a server that works
                raise

    if not _within(ANSWER_SECONDS, ask, failures):
        return f"{url} does not answer"
    return f"{url} cannot be reached: {getattr(failures[0], 'reason', failures[0])}" if failures else ""


def _within(seconds: float, work: Callable[[], None], failures: list[Exception]) -> bool:
    """Do something in a thread, and return whether it ended in time. Its exception is added to ``failures``."""

    def run() -> None:
        try:
            work()
        except Exception as error:  # the caller reports it
            failures.append(error)

    thread = threading.Thread(target=run, name="wandb", daemon=True)  # looking up a name may block for a minute
    thread.start()
    thread.join(seconds)
    return not thread.is_alive()


def _run_id(run: Path) -> str | None:
    """Return the id of a run folder's W&B run, which a new run gets from ``WANDB_RUN_ID`` or by chance."""
    if getattr(rank_zero_only, "rank", 0):
        return None  # only the first process logs
    path = run / WANDB_ID
    if not path.exists():
        write_text(path, os.environ.get("WANDB_RUN_ID") or os.urandom(6).hex())
    return path.read_text(encoding="utf-8").strip()
