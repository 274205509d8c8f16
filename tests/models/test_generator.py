"""The generator: exact probabilities, one clip's chance its own, and the same clips with and without a cache."""

import itertools

import pytest
import torch

from trajvq.models.departures import departures
from trajvq.models.generator import Generator, Sampling, draw, filled
from trajvq.models.transformer import TokenLayout, TokenTransformer

TINY = TokenLayout(3, (3,), (2, 1, 2), 2)
SMALL = TokenLayout(12, (4, 3), (3, 2, 2), 2)


def generator(layout: TokenLayout, tokens: torch.Tensor | None = None, plan: bool = False) -> Generator:
    torch.manual_seed(0)
    made = Generator(width=16, depth=2, heads=2, plan=plan, plan_width=16, plan_depth=1, mixtures=3)
    made.build(layout, 2, tokens)
    with torch.no_grad():
        for weight in made.query.parameters():
            weight.mul_(4)  # so that places differ
    return made.eval()


def chances(count: int, seed: int = 0) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(1000 * seed + k) for k in range(count)]


def usual_of(layout: TokenLayout) -> torch.Tensor:
    return (torch.arange(layout.tokens) % layout.codebook_size).view(1, *layout.grid)


@pytest.mark.parametrize("plan", [False, True])
@pytest.mark.parametrize("usual", [False, True])
def test_the_probabilities_of_all_clips_sum_to_one(plan: bool, usual: bool) -> None:
    made = generator(TINY, usual_of(TINY) if usual else None, plan)
    tokens = torch.tensor(list(itertools.product(range(3), repeat=4))).view(-1, 2, 1, 2)
    path = torch.tensor([[0.1, 0.0], [0.2, 0.1], [0.3, 0.1], [0.5, 0.0]]).expand(81, -1, -1) if plan else None
    with torch.no_grad():
        for label in (None, torch.ones(81, dtype=torch.int64)):
            found = made.log_likelihood(tokens, label, path)
            assert abs(float((found.place + found.code).exp().sum()) - 1) < 1e-5
    assert bool((found.place == 0).all()) == (not usual)
    assert torch.equal(found.departures, (tokens != made.usual_clip).flatten(1).sum(dim=1))


def test_clips_are_drawn_as_often_as_their_probability_says() -> None:
    made = generator(TINY, usual_of(TINY))
    count = 4000
    drawn = made.rollout(chances(count), torch.zeros(count, dtype=torch.int64)).tokens
    tokens = torch.tensor(list(itertools.product(range(3), repeat=4))).view(-1, 2, 1, 2)
    with torch.no_grad():
        found = made.log_likelihood(tokens, torch.zeros(81, dtype=torch.int64))
    share = (found.place + found.code).exp()
    digits = torch.tensor([27, 9, 3, 1])
    counts = torch.bincount((drawn.flatten(1) * digits).sum(dim=1), minlength=81)
    expected = share * count
    chi_square = float(((counts - expected) ** 2 / expected).sum())
    assert chi_square < 80 + 5 * (2 * 80) ** 0.5  # 80 degrees of freedom, five standard deviations


def test_a_prefix_stays_and_what_follows_is_drawn_given_it() -> None:
    made = generator(TINY, usual_of(TINY))
    prefix = torch.tensor([[[[2, 1]]]]).expand(4000, -1, -1, -1)
    drawn = made.rollout(chances(4000), prefix=prefix).tokens
    assert torch.equal(drawn[:, :1], prefix)
    tokens = torch.tensor([[2, 1, *rest] for rest in itertools.product(range(3), repeat=2)]).view(-1, 2, 1, 2)
    with torch.no_grad():
        found = made.log_likelihood(tokens)
    share = (found.place + found.code).softmax(dim=0)
    counts = torch.bincount((drawn[:, 1].flatten(1) * torch.tensor([3, 1])).sum(dim=1), minlength=9)
    assert float(((counts - share * 4000) ** 2 / (share * 4000)).sum()) < 8 + 5 * 16**0.5


def test_short_clips_are_drawn_as_the_beginnings_of_whole_ones() -> None:
    made = generator(TINY, usual_of(TINY))
    drawn = made.rollout(chances(4000), frames=1).tokens
    tokens = torch.tensor(list(itertools.product(range(3), repeat=4))).view(-1, 2, 1, 2)
    with torch.no_grad():
        found = made.log_likelihood(tokens)
    share = (found.place + found.code).exp().view(9, 9).sum(dim=1)
    counts = torch.bincount((drawn.flatten(1) * torch.tensor([3, 1])).sum(dim=1), minlength=9)
    assert drawn.shape == (4000, 1, 1, 2)
    assert float(((counts - share * 4000) ** 2 / (share * 4000)).sum()) < 8 + 5 * 16**0.5


@pytest.mark.parametrize("how", [Sampling(), Sampling(temperature=0.8, top_p=0.9, spread=0.5, guidance=2.0)])
def test_a_clip_does_not_depend_on_what_is_drawn_beside_it(how: Sampling) -> None:
    made = generator(SMALL, usual_of(SMALL), plan=True)
    label = torch.tensor([0, 1, -1, 0, 1])
    together = made.rollout(chances(5), label, how=how)
    for k in range(5):
        alone = made.rollout(chances(5)[k : k + 1], label[k : k + 1], how=how)
        assert torch.equal(alone.tokens[0], together.tokens[k])
    again = made.rollout(chances(5), label, how=how)
    assert torch.equal(again.tokens, together.tokens)
    other = made.rollout(chances(5, seed=1), label, how=how)
    assert not torch.equal(other.tokens, together.tokens)


def test_without_temperature_and_spread_chance_has_no_say() -> None:
    made = generator(SMALL, usual_of(SMALL), plan=True)
    how = Sampling(temperature=0, spread=0)
    first, second = (made.rollout(chances(3, seed), how=how).tokens for seed in (0, 1))
    assert torch.equal(first, second)


def test_longer_clips_than_trained_go_on_from_the_last_frames() -> None:
    made = generator(SMALL, usual_of(SMALL), plan=True)
    made.usual_clip.copy_(made.usual_clip[:1].expand(3, -1, -1))
    drawn = made.rollout(chances(4), frames=5)
    assert drawn.tokens.shape == (4, 5, 2, 2)
    assert drawn.path is not None
    assert drawn.path.shape == (4, 10, 2)
    whole = made.rollout(chances(4))
    assert whole.path is not None
    assert torch.equal(drawn.tokens[:, :3], whole.tokens)
    assert torch.equal(drawn.path[:, :6], whole.path)


def test_what_is_usual_stays_usual_when_frames_move() -> None:
    made = generator(SMALL, usual_of(SMALL))
    moved = made._moved(made.usual_clip[None, 1:].clone(), 1)
    assert not departures(moved.flatten(1), made.usual_clip[:2].flatten()).place.numel()


@pytest.mark.parametrize("length", [1, 4])
def test_a_cache_changes_nothing(length: int) -> None:
    torch.manual_seed(0)
    transformer = TokenTransformer(32, 3, 4, causal=True).eval()
    x = torch.randn(3, 12, 32)
    cache = transformer.cache(12)
    with torch.no_grad():
        whole = transformer(x)
        parts = [transformer(x[:, :length], cache)]
        parts += [transformer(x[:, k : k + 1], cache) for k in range(length, 12)]
    assert float((torch.cat(parts, dim=1) - whole).abs().max()) < 1e-4


def test_a_planner_without_places_is_refused() -> None:
    made = generator(SMALL, usual_of(SMALL), plan=True)
    tokens = torch.zeros(2, *SMALL.grid, dtype=torch.int64)
    with pytest.raises(ValueError, match=r"set data\.places"):
        made.log_likelihood(tokens)
    with pytest.raises(ValueError, match="where the object is"):
        made.rollout(chances(2), prefix=tokens[:, :1])


def test_missing_points_are_where_the_last_one_was() -> None:
    nan = float("nan")
    path = torch.tensor([[[nan, nan], [1.0, 2.0], [nan, nan], [3.0, 4.0]], [[nan, nan]] * 4])
    assert filled(path)[0].tolist() == [[1, 2], [1, 2], [1, 2], [3, 4]]
    assert filled(path)[1].tolist() == [[0, 0]] * 4


def test_draws_follow_the_distribution_function() -> None:
    logits = torch.tensor([0.1, 0.6, 0.3]).log().expand(4, 3)
    uniform = torch.tensor([0.0, 0.11, 0.69, 0.71], dtype=torch.float64)
    assert draw(logits, uniform, Sampling()).tolist() == [0, 1, 1, 2]
    assert draw(logits, uniform, Sampling(top_p=0.5)).tolist() == [1, 1, 1, 1]
    assert draw(logits, uniform, Sampling(temperature=0)).tolist() == [1, 1, 1, 1]
    impossible = torch.tensor([[-torch.inf, 0.0, -torch.inf]]).expand(4, 3)
    assert draw(impossible, uniform, Sampling()).tolist() == [1, 1, 1, 1]
    with pytest.raises(ValueError, match="top_p"):
        Sampling(top_p=0.0)
