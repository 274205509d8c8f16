"""Sampling: codes follow the inverse cumulative distribution function, one uniform number a row."""

import pytest
import torch

from trajvq.models.sampling import Sampling, sample_codes


def test_codes_follow_the_distribution_function() -> None:
    logits = torch.tensor([0.1, 0.6, 0.3]).log().expand(4, 3)
    uniform = torch.tensor([0.0, 0.11, 0.69, 0.71], dtype=torch.float64)
    assert sample_codes(logits, uniform, Sampling()).tolist() == [0, 1, 1, 2]
    assert sample_codes(logits, uniform, Sampling(top_p=0.5)).tolist() == [1, 1, 1, 1]
    assert sample_codes(logits, uniform, Sampling(temperature=0)).tolist() == [1, 1, 1, 1]
    impossible = torch.tensor([[-torch.inf, 0.0, -torch.inf]]).expand(4, 3)
    assert sample_codes(impossible, uniform, Sampling()).tolist() == [1, 1, 1, 1]
    with pytest.raises(ValueError, match="top_p"):
        Sampling(top_p=0.0)
