"""The generator: exact probabilities, one clip's chance its own, and the same clips with and without a cache."""

import itertools

import pytest
import torch
from torch import Tensor

from trajvq.models.cells import filled, token_positions
from trajvq.models.generator import Generator
from trajvq.models.rollout import Likelihood
from trajvq.models.sampling import Sampling, draw
from trajvq.models.transformer import TokenLayout, TokenTransformer

TINY = TokenLayout(3, (3,), (2, 1, 2), 2)
SMALL = TokenLayout(12, (4, 3), (3, 2, 2), 2)
CLIPS = torch.tensor(list(itertools.product(range(3), repeat=4))).view(-1, 2, 1, 2)  # all there are of TINY
PATH = torch.tensor([[0.4, 0.0], [0.5, 0.1], [0.5, 0.1], [0.6, 0.0]])  # in the right one of two cells
APPEARANCE = torch.tensor([[-0.8, 0.1, 0.5, -0.4], [0.2, 0.9, -1.0, 0.3], [0.0, 0.0, 1.0, -0.6]])
DIGITS = torch.tensor([27, 9, 3, 1])


def generator(layout: TokenLayout, plan: bool = False) -> Generator:
    torch.manual_seed(0)
    made = Generator(
        width=16, depth=2, heads=2, plan=plan, reach=0, trajectory_width=16, trajectory_depth=1, mixtures=3
    )
    made.build(layout, 2)
    with torch.no_grad():
        for name, weight in made.named_parameters():
            if "head" in name or "rest.own" in name or "narrow" in name:
                weight.add_(torch.randn_like(weight) * 0.3)
    return made.eval()


def generators(count: int, seed: int = 0) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(1000 * seed + k) for k in range(count)]


def fits(drawn: Tensor, share: Tensor) -> bool:
    """Pearson's chi-square within five standard deviations; drawn are numbers of outcomes."""
    expected = share * len(drawn)
    off = float(((torch.bincount(drawn, minlength=len(share)) - expected) ** 2 / expected).sum())
    freedom = len(share) - 1
    return bool(off < freedom + 5 * (2 * freedom) ** 0.5)


def tokens_share(found: Likelihood) -> Tensor:
    return (found.told + found.rest).exp()


@pytest.mark.parametrize("plan", [False, True])
def test_the_probabilities_of_all_clips_sum_to_one(plan: bool) -> None:
    made = generator(TINY, plan)
    path, look = (PATH.expand(81, -1, -1), APPEARANCE[:1].expand(81, -1)) if plan else (None, None)
    with torch.no_grad():
        for label in (None, torch.ones(81, dtype=torch.int64)):
            found = made.log_likelihood(CLIPS, label, path, look)
            assert abs(float(tokens_share(found).sum()) - 1) < 1e-5
    assert bool((found.rest == 0).all()) != plan


def test_clips_are_drawn_as_often_as_their_probability_says() -> None:
    made = generator(TINY)
    label = torch.zeros(4000, dtype=torch.int64)
    drawn = made.rollout(generators(4000), label).tokens
    with torch.no_grad():
        share = tokens_share(made.log_likelihood(CLIPS, label[:81]))
    assert fits((drawn.flatten(1) * DIGITS).sum(dim=1), share)
    assert not fits((drawn.flatten(1).flip(1) * DIGITS).sum(dim=1), share)


def test_along_a_plan_too() -> None:
    made = generator(TINY, plan=True)
    with torch.no_grad():
        share = tokens_share(made.log_likelihood(CLIPS, None, PATH.expand(81, -1, -1), APPEARANCE[:1].expand(81, -1)))
        cells, near = made._cells(
            made.planner.rounded(PATH).expand(4000, -1, -1), made.palette.rounded(APPEARANCE[:1]).expand(4000, -1), 4000
        )
        uniform = torch.rand(4000, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        label = torch.full((4000,), 2)
        told = made._tell(torch.zeros(4000, 4, dtype=torch.int64), 0, near, cells, label, uniform, Sampling())
        logits = made.rest(made._ground(torch.where(near, told, -1), cells))
    assert near[0].tolist() == [False, True, False, True]
    rest = draw(logits.flatten(0, 1), uniform.flatten(), Sampling()).view(4000, 4)
    assert fits((torch.where(near, told, rest) * DIGITS).sum(dim=1), share)


def test_a_prefix_stays_and_what_follows_is_drawn_given_it() -> None:
    made = generator(TINY)
    prefix = torch.tensor([[[[2, 1]]]]).expand(4000, -1, -1, -1)
    drawn = made.rollout(generators(4000), prefix=prefix).tokens
    assert torch.equal(drawn[:, :1], prefix)
    same = (CLIPS[:, 0] == prefix[0, 0]).all(dim=-1)[:, 0]
    with torch.no_grad():
        found = made.log_likelihood(CLIPS[same])
    share = (found.told + found.rest).softmax(dim=0)
    assert fits((drawn[:, 1].flatten(1) * DIGITS[2:]).sum(dim=1), share)


def test_short_clips_are_drawn_as_the_beginnings_of_whole_ones() -> None:
    made = generator(TINY)
    drawn = made.rollout(generators(4000), frames=1).tokens
    with torch.no_grad():
        share = tokens_share(made.log_likelihood(CLIPS)).view(9, 9).sum(dim=1)
    assert drawn.shape == (4000, 1, 1, 2)
    assert fits((drawn.flatten(1) * DIGITS[2:]).sum(dim=1), share)


def test_no_part_looks_ahead_of_its_latent_frame() -> None:
    made = generator(SMALL, plan=True)
    tokens, path = torch.randint(12, (3, 3, 2, 2)), torch.rand(3, 6, 2) * 2 - 1
    later, other = tokens.clone(), path.clone()
    later[:, 2], other[:, 4:] = (tokens[:, 2] + 1) % 12, torch.rand(3, 2, 2) * 2 - 1
    grounds = []
    for given, points in ((tokens, path), (later, other)):
        cells, near = made._cells(points, APPEARANCE, 3)
        grounds.append(made._ground(torch.where(near, given.flatten(1), -1), cells).view(3, 3, 4, -1))
    assert torch.allclose(grounds[0][:, :2], grounds[1][:, :2], atol=1e-6)
    assert not torch.allclose(grounds[0][:, 2], grounds[1][:, 2], atol=1e-3)
    first, second = (
        made.rollout(generators(3), prefix=given[:, :2], path=points[:, :4], look=APPEARANCE)
        for given, points in ((tokens, path), (later, other))
    )
    assert torch.equal(first.tokens, second.tokens)


@pytest.mark.parametrize("how", [Sampling(), Sampling(temperature=0.8, top_p=0.9, noise_scale=0.5, guidance=2.0)])
def test_a_clip_does_not_depend_on_what_is_drawn_beside_it(how: Sampling) -> None:
    made = generator(SMALL, plan=True)
    label = torch.tensor([0, 1, -1, 0, 1])
    together = made.rollout(generators(5), label, how=how)
    for k in range(5):
        alone = made.rollout(generators(5)[k : k + 1], label[k : k + 1], how=how)
        assert torch.equal(alone.tokens[0], together.tokens[k])
    again = made.rollout(generators(5), label, how=how)
    assert torch.equal(again.tokens, together.tokens)
    other = made.rollout(generators(5, seed=1), label, how=how)
    assert not torch.equal(other.tokens, together.tokens)


def test_without_temperature_and_spread_chance_has_no_say() -> None:
    made = generator(SMALL, plan=True)
    how = Sampling(temperature=0, noise_scale=0)
    first, second = (made.rollout(generators(3, seed), how=how) for seed in (0, 1))
    assert torch.equal(first.tokens, second.tokens)
    assert first.look is not None
    assert second.look is not None
    assert torch.equal(first.look, second.look)


def test_tokens_depend_on_the_look() -> None:
    made = generator(SMALL, plan=True)
    tokens, path = torch.randint(12, (3, 3, 2, 2)), torch.rand(3, 6, 2) * 2 - 1
    with torch.no_grad():
        found = [made.log_likelihood(tokens, None, path, look) for look in (APPEARANCE, APPEARANCE.flip(0))]
    assert not torch.allclose(found[0].told, found[1].told)
    assert not torch.allclose(found[0].rest, found[1].rest)
    assert torch.equal(found[0].plan, found[1].plan)
    prefix, points = tokens[:1, :1].expand(200, -1, -1, -1), path[:1, :2].expand(200, -1, -1)
    drawn = [
        made.rollout(generators(200), prefix=prefix, path=points, look=look.expand(200, -1)).tokens
        for look in (APPEARANCE[:1], APPEARANCE[1:2])
    ]
    assert not torch.equal(drawn[0], drawn[1])


def test_longer_clips_than_trained_go_on_from_the_last_frames() -> None:
    made = generator(SMALL, plan=True)
    drawn, whole = made.rollout(generators(4), frames=5), made.rollout(generators(4))
    assert drawn.tokens.shape == (4, 5, 2, 2)
    assert drawn.path is not None
    assert whole.path is not None
    assert drawn.path.shape == (4, 10, 2)
    assert torch.equal(drawn.tokens[:, :3], whole.tokens)
    assert torch.equal(drawn.path[:, :6], whole.path)
    assert drawn.look is not None
    assert whole.look is not None
    assert torch.equal(drawn.look, whole.look)
    with pytest.raises(ValueError, match="0 latent frames"):
        made.rollout(generators(4), frames=0)


def test_some_of_the_rest_stands_for_all_of_it_on_average() -> None:
    made = generator(SMALL, plan=True)
    tokens, path = torch.randint(12, (400, 3, 2, 2)), torch.rand(400, 6, 2) * 2 - 1
    with torch.no_grad():
        whole, some = (
            made.log_likelihood(tokens, None, path, APPEARANCE[:1].expand(400, -1), rest).rest for rest in (None, 3)
        )
    assert not torch.equal(whole, some)
    assert abs(float((whole - some).mean())) < 4 * float((whole - some).std()) / 20


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
    made = generator(SMALL, plan=True)
    tokens = torch.zeros(2, *SMALL.grid, dtype=torch.int64)
    with pytest.raises(ValueError, match=r"set data\.places"):
        made.log_likelihood(tokens)
    with pytest.raises(ValueError, match="where the object is"):
        made.rollout(generators(2), prefix=tokens[:, :1])
    path = torch.zeros(2, 6, 2)
    with pytest.raises(ValueError, match=r"model\.network\.look to false"):
        made.log_likelihood(tokens, None, path)
    with pytest.raises(ValueError, match="how the object looks"):
        made.rollout(generators(2), prefix=tokens[:, :1], path=path[:, :2])


def test_missing_points_are_where_the_last_one_was() -> None:
    nan = float("nan")
    path = torch.tensor([[[nan, nan], [1.0, 2.0], [nan, nan], [3.0, 4.0]], [[nan, nan]] * 4])
    assert filled(path)[0].tolist() == [[1, 2], [1, 2], [1, 2], [3, 4]]
    assert filled(path)[1].tolist() == [[0, 0]] * 4


def test_places_told_are_in_order_and_the_end_follows() -> None:
    near = torch.tensor([[True, False, True, True], [False, True, False, False]])
    assert token_positions(near).tolist() == [[0, 2, 3], [1, 4, 4]]


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
