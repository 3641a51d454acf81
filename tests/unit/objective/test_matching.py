"""MMD against its definition."""

from __future__ import annotations

import math

import pytest
import torch

from vae_explorer.objective.matching import Kernel, kernel_matrix, mmd_squared, typical_scale


def draws(n: int, d: int, seed: int, shift: float = 0.0) -> torch.Tensor:
    return shift + torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def kernel_by_hand(a: list[float], b: list[float], kernel: Kernel, scale: float) -> float:
    squares = sum((x - y) ** 2 for x, y in zip(a, b, strict=True))
    return math.exp(-squares / (2 * scale**2)) if kernel == "rbf" else scale**2 / (scale**2 + squares)


@pytest.mark.parametrize("kernel", ["rbf", "imq"])
def test_mmd_is_the_sum_over_pairs_that_it_is_defined_as(kernel: Kernel) -> None:
    z, p, scale = draws(7, 3, 0, 0.5), draws(5, 3, 1), 1.3
    zs, ps = z.tolist(), p.tolist()
    within = [kernel_by_hand(a, b, kernel, scale) for i, a in enumerate(zs) for j, b in enumerate(zs) if i != j]
    prior = [kernel_by_hand(a, b, kernel, scale) for i, a in enumerate(ps) for j, b in enumerate(ps) if i != j]
    between = [kernel_by_hand(a, b, kernel, scale) for a in zs for b in ps]
    expected = sum(within) / 42 + sum(prior) / 20 - 2 * sum(between) / 35
    assert mmd_squared(z, p, kernel=kernel, scale=scale).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("kernel", ["rbf", "imq"])
def test_the_estimate_is_unbiased_where_the_laws_agree(kernel: Kernel) -> None:
    values = torch.stack([
        mmd_squared(draws(16, 2, 2 * seed), draws(16, 2, 2 * seed + 1), kernel=kernel, scale=typical_scale(2))
        for seed in range(400)
    ])  # fmt: skip
    assert abs(values.mean().item()) < 3 * values.std().item() / 20
    assert (values < 0).any()


def test_mmd_of_two_normals_has_its_closed_form() -> None:
    # E k(a, b) of a, b ~ N(m, 1), N(0, 1) with the Gaussian kernel: sqrt(s^2 / (s^2 + 2)) exp(-m^2 / (2 (s^2 + 2))).
    scale, shift = 1.0, 1.5
    factor = math.sqrt(1 / 3)
    expected = 2 * factor - 2 * factor * math.exp(-(shift**2) / 6)
    found = mmd_squared(draws(3000, 1, 0, shift), draws(3000, 1, 1), kernel="rbf", scale=scale).item()
    assert found == pytest.approx(expected, abs=0.02)


def test_the_kernel_of_a_point_with_itself_is_one_exactly() -> None:
    z = 1e3 * draws(4, 2, 0)
    assert kernel_matrix(z, z, kernel="imq", scale=1.0).diagonal().tolist() == [1.0] * 4


def test_one_point_is_too_few() -> None:
    with pytest.raises(ValueError, match="two points"):
        mmd_squared(draws(1, 2, 0), draws(4, 2, 1), kernel="rbf", scale=1.0)
