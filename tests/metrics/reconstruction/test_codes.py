"""Usage of codes, bits, and the linear probe."""

import pytest
import torch

from trajvq.metrics.reconstruction.codes import CodeUsage, bits, linear_probe, probe_figures


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
    figures = usage.compute()
    assert figures["counts"]["all"].tolist() == [30, 0, 0, 0, 0, 1, 0, 1, 0, 0]
    assert figures["counts"]["object"].nonzero().flatten().tolist() == [5, 7]
    assert figures["codes_used"] == 3
    assert figures["object_perplexity"] == pytest.approx(2)
    assert 1 < figures["perplexity"] < 1.5


def test_a_uniform_code_has_its_size_as_perplexity() -> None:
    usage = CodeUsage(16, (1, 1, 1))
    usage.update(torch.arange(16).view(1, 1, 4, 4))
    assert usage.compute()["perplexity"] == pytest.approx(16)


def test_a_codebook_may_be_larger_than_any_memory() -> None:
    usage = CodeUsage(2**36, (1, 1, 1))
    usage.update(torch.tensor([0, 2**36 - 1, 7, 7]).view(1, 1, 2, 2))
    usage.update(torch.tensor([0, 2**36 - 1, 5, 5]).view(1, 1, 2, 2))
    figures = usage.compute()
    assert figures["codes_used"] == 4
    assert figures["perplexity"] == pytest.approx(4)
    assert figures["counts"] == {}


def test_codes_of_several_codebooks_are_different_codes() -> None:
    usage = CodeUsage((4, 2), (1, 1, 1))
    usage.update(torch.tensor([[0, 3], [0, 1]]).view(1, 2, 1, 1, 2))
    assert usage.compute()["counts"]["all"].tolist() == [1, 0, 0, 1, 1, 1]
    assert bits(3, (4, 2)) == 9


def test_a_causal_first_latent_frame_covers_one_frame() -> None:
    usage = CodeUsage(3, (4, 8, 8))
    pixel = torch.full((1, 9, 1, 2), 4.0)
    pixel[0, 5:] = torch.nan  # frames 0, and 1 to 4
    usage.update(torch.arange(3).view(1, 3, 1, 1), pixel)
    assert usage.compute()["counts"]["object"].tolist() == [1, 1, 0]


@pytest.mark.parametrize("outside", [(-0.5, 12.0), (12.0, 32.0), (40.0, -30.0)])
def test_an_object_outside_the_picture_is_in_no_cell(outside: tuple[float, float]) -> None:
    usage = CodeUsage(16, (1, 8, 8))
    usage.update(torch.arange(16).view(1, 1, 4, 4), torch.tensor([outside, (12.0, 31.9)]).view(1, 1, 2, 2))
    assert usage.compute()["counts"]["object"].nonzero().flatten().tolist() == [13]


def test_the_probe_reads_linear_features_only() -> None:
    generator = torch.Generator().manual_seed(0)
    features, label = torch.randn(600, 8, generator=generator), torch.randint(0, 3, (600,), generator=generator)
    assert linear_probe(features[:400], label[:400], features[400:], label[400:]) < 0.5
    features[:, 0] += 6.0 * label
    with torch.inference_mode():
        accuracy = linear_probe(features[:400], label[:400], features[400:], label[400:])
    assert accuracy > 0.95


@pytest.mark.parametrize("gap", [0.0, 6.0])
def test_the_probe_is_left_out_where_true_positions_say_nothing_of_the_class(gap: float) -> None:
    generator = torch.Generator().manual_seed(0)
    positions, label = torch.randn(600, 4, 2, generator=generator), torch.randint(0, 3, (600,), generator=generator)
    positions[:, 0, 0] += gap * label
    positions[::5, 1] = torch.nan  # frames without object
    codes = torch.randn(600, 5, generator=generator)
    codes[:, 0] += 6.0 * label
    both = [(values[:400], values[400:]) for values in (codes, positions, label)]
    figures, remarks = probe_figures(*both)
    assert figures.keys() == ({"probe_accuracy", "probe_accuracy_true"} if gap else set())
    assert [line.startswith("probe_accuracy is left out") for line in remarks] == ([] if gap else [True])
    unstored, _ = probe_figures(both[0], None, both[2])
    assert unstored["probe_accuracy"] > 0.95
