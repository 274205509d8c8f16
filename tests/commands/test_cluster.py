"""A process in a Slurm job waits for others only if srun started them."""

from pathlib import Path

import pytest
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.pytorch.utilities import rank_zero_only

from tests.conftest import Run
from trajvq.commands.cluster import check_tasks, cluster_environments, launched_together
from trajvq.errors import UserError

JOB = {"SLURM_JOB_ID": "77", "SLURM_NTASKS": "2", "SLURM_JOB_NAME": "train", "SLURM_JOB_NODELIST": "localhost"}
SRUN = {"SLURM_STEP_NUM_TASKS": "2", "SLURM_NTASKS_PER_NODE": "2", "SLURM_PROCID": "1"}
TORCHRUN = {"LOCAL_RANK": "0", "WORLD_SIZE": "2"}


def enter(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name in ("SLURM_STEP_NUM_TASKS", "TORCHELASTIC_RUN_ID", "LOCAL_RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("more", "nodes", "expected"),
    [
        ({}, 1, LightningEnvironment),  # in the script of the job, or by hand
        ({"SLURM_NTASKS_PER_NODE": "2", "SLURM_NNODES": "2", "SLURM_PROCID": "0"}, 1, LightningEnvironment),
        ({"SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0"}, 1, LightningEnvironment),  # srun --ntasks=1
        (SRUN, 1, SLURMEnvironment),
        ({"SLURM_NTASKS_PER_NODE": "1"}, 2, SLURMEnvironment),
    ],
)
def test_only_srun_starts_several_processes(
    monkeypatch: pytest.MonkeyPatch, more: dict[str, str], nodes: int, expected: type
) -> None:
    enter(monkeypatch, JOB | more)
    assert [type(environment) for environment in cluster_environments([], nodes)] == [expected]


def test_the_environment_of_the_config_and_that_of_torchrun_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    enter(monkeypatch, JOB)
    assert cluster_environments([LightningEnvironment()], 1) == []
    enter(monkeypatch, JOB | {"TORCHELASTIC_RUN_ID": "1"})
    assert cluster_environments([], 1) == []


def test_away_from_slurm_nothing_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_NTASKS", raising=False)
    assert cluster_environments([], 1) == []


def test_a_job_that_lightning_does_not_support_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    enter(monkeypatch, JOB | {"SLURM_STEP_NUM_TASKS": "2"})
    with pytest.raises(UserError, match="Use `--ntasks-per-node=2` instead"):
        cluster_environments([], 1)


@pytest.mark.parametrize(
    ("variables", "together"),
    [({}, False), (JOB, False), (JOB | SRUN, True), ({"LOCAL_RANK": "1"}, False), (TORCHRUN, True)],
)
def test_processes_of_a_launcher_are_recognized(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], together: bool
) -> None:
    enter(monkeypatch, variables)
    assert launched_together() is together


@pytest.mark.parametrize(
    "leftover",
    [
        {"RANK": "3"},
        {"LOCAL_RANK": "1"},
        {"SLURM_PROCID": "1", "SLURM_STEP_NUM_TASKS": ""},
        JOB | {"SLURM_PROCID": "1", "SLURM_STEP_NUM_TASKS": "1"},
    ],
)
def test_a_process_with_variables_of_another_one_trains_alone(
    monkeypatch: pytest.MonkeyPatch, fit: Run, here: Path, leftover: dict[str, str]
) -> None:
    enter(monkeypatch, leftover)
    monkeypatch.setattr(rank_zero_only, "rank", 1)  # as Lightning reads it when it is imported
    assert fit("--run=a", "--trainer.max_steps=2") == 0
    assert (here / "runs/recon/a/complete.json").exists()


def test_processes_of_srun_that_are_no_part_of_the_run_are_one_line(
    monkeypatch: pytest.MonkeyPatch, fit: Run, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    enter(monkeypatch, JOB | {"SLURM_STEP_NUM_TASKS": "2", "SLURM_NTASKS": "1", "SLURM_PROCID": "0"})
    assert fit("--run=a") == 2
    assert "srun started 2 processes, but trainer.devices x trainer.num_nodes is 1;" in capsys.readouterr().err
    assert not (here / "runs/recon/a/checkpoints/last.ckpt").exists()
    check_tasks(SLURMEnvironment(auto_requeue=False), devices=2, nodes=1)
