"""Usage of codes, bits, and the linear probe."""

import pytest
import torch

from trajvq.metrics.reconstruction.codes import CodeUsage, bits, linear_probe


def test_bits_of_the_default_grid() -> None:
    assert bits(256, 1000) == pytest.approx(2551, abs=0.5)


def test_usage_counts_all_tokens_and_those_whose_cell_holds_the_object() -> None:
    usage = CodeUsage(10, (4, 8, 8))
    indices = torch.zeros(1, 2, 4, 4, dtype=torch.int64)
    indices[0, 0, 1, 2], indices[0, 1, 3, 0] = 5, 7
    pixel = torch.tensor([[20.0, 12.0]] * 4 + [[1.0, 31.9]] * 4)[
        None
    ]  # cells (row 1, column 2), then (row 3, column 0)
    usage.update(indices, pixel[:, :, None])
    assert usage.object_counts.nonzero().flatten().tolist() == [5, 7]
    figures = usage.compute()
    assert figures["codes_used"] == 3
    assert figures["object_perplexity"] == pytest.approx(2)
    assert 1 < figures["perplexity"] < 1.5


def test_a_uniform_code_has_its_size_as_perplexity() -> None:
    usage = CodeUsage(16, (1, 1, 1))
    usage.update(torch.arange(16).view(1, 1, 4, 4))
    assert usage.compute()["perplexity"] == pytest.approx(16)


def test_the_probe_reads_linear_features_only() -> None:
    generator = torch.Generator().manual_seed(0)
    features, label = torch.randn(600, 8, generator=generator), torch.randint(0, 3, (600,), generator=generator)
    assert linear_probe(features[:400], label[:400], features[400:], label[400:]) < 0.5
    features[:, 0] += 6.0 * label
    with torch.inference_mode():
        accuracy = linear_probe(features[:400], label[:400], features[400:], label[400:])
    assert accuracy > 0.95
