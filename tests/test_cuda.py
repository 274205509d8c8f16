"""What only a GPU can show; `experiments/gpu/measure.py` runs these tests on one."""

import copy

import pytest
import torch

from trajvq.losses import BalancedLoss
from trajvq.metrics.background import estimate_background
from trajvq.models import CausalTokenizer
from trajvq.tasks import Reconstruct

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")


def steps(network: CausalTokenizer, cuda_graphs: bool) -> list[float]:
    """Return the losses of some steps on batches of two shapes."""
    module = Reconstruct(network, BalancedLoss(), 100, matrix_learning_rate=0.04, cuda_graphs=cuda_graphs).cuda()
    optimizer, losses = module.configure_optimizers()["optimizer"], []
    measure = module.recorded if module.records else module.recorded.module
    generator = torch.Generator().manual_seed(0)
    for frames in (8, 16, 8, 8, 16, 8):
        video = torch.rand(4, 3, frames, 32, 32, generator=generator).cuda()
        loss, _ = measure(video, estimate_background(video))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss))
    return losses


def test_recorded_steps_are_the_same_steps() -> None:
    torch.manual_seed(0)
    network = CausalTokenizer(width=16)
    again = copy.deepcopy(network)
    recorded = steps(network, cuda_graphs=True)
    assert recorded == pytest.approx(steps(again, cuda_graphs=False), rel=1e-5)
    assert recorded[0] != recorded[2]


def test_backgrounds_are_those_of_the_cpu() -> None:
    plain = torch.ones(2, 3, 8, 32, 32)
    plain[:, :, :, 4:9, 4:9] = 0.2
    video = torch.cat([plain, torch.rand(2, 3, 8, 32, 32, generator=torch.Generator().manual_seed(0))])
    assert torch.equal(estimate_background(video.cuda()).cpu(), estimate_background(video))
