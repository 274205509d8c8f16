"""A callback that ends or breaks a run at a chosen moment, named in a command like any other callback."""

import os
import signal
from typing import Any

import lightning as L

from trajvq.callbacks import LastCheckpoint


def interrupt_at(moment: str, step: int, action: str) -> list[str]:
    """Return the options that add `Interruption` to a run."""
    arguments = {"moment": moment, "step": step, "action": action}
    callback = "--trainer.callbacks+=tests.interruptions.Interruption"
    return [callback, *(f"--trainer.callbacks.{name}={value}" for name, value in arguments.items())]


class Interruption(L.Callback):
    """Interrupts a training once.

    Args:
        moment: ``step`` (before a step), ``inside`` (within one, after the weights changed), ``validation`` (after a
            validation batch) or ``validated`` (after a validation).
        step: Value of ``global_step`` at that moment.
        action: ``SIGKILL``, ``SIGTERM`` or ``SIGINT`` to send that signal, ``raise`` to raise an error, ``nan`` to
            make weights not finite, ``wait`` to let hours pass.
    """

    def __init__(self, moment: str, step: int, action: str) -> None:
        self.moment, self.step, self.action = moment, step, action

    def on_train_batch_start(self, trainer: L.Trainer, *_: Any) -> None:
        self.interrupt("step", trainer)

    def on_before_zero_grad(self, trainer: L.Trainer, *_: Any) -> None:
        self.interrupt("inside", trainer)

    def on_validation_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        self.interrupt("validation", trainer)

    def on_validation_end(self, trainer: L.Trainer, *_: Any) -> None:
        self.interrupt("validated", trainer)

    def interrupt(self, moment: str, trainer: L.Trainer) -> None:
        if moment != self.moment or trainer.global_step != self.step or trainer.state.fn != "fit":
            return
        self.moment = ""
        if self.action == "raise":
            raise RuntimeError("broken")
        if self.action == "nan":
            next(trainer.lightning_module.parameters()).data.fill_(float("nan"))
        elif self.action == "wait":
            for callback in trainer.checkpoint_callbacks:
                if isinstance(callback, LastCheckpoint):
                    callback.started_at -= 10_000
        else:
            os.kill(os.getpid(), signal.Signals[self.action])
