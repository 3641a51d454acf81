"""Many small smooth functions climbed at once by BFGS, each with a line search of its own (Nocedal & Wright, ch. 6)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from vae_explorer.evaluation.slices import Slices

Values = Callable[[Tensor, Tensor], Tensor]
"""From points (m, P) and the numbers (m,) of the functions that they are for to values (m,), with a gradient."""

MOST_STEPS = 60
STANDS = 1e-4
"""A function that has risen by less than this in each of two steps stands."""
_SUFFICIENT = 1e-4
"""Share of what the slope promises that a step has to win (Armijo)."""
_HALVINGS = 12


def climb_slices(values: Values, start: Tensor) -> Slices[Tensor]:
    """Climb from start (B, P), a point for each of B functions; return the paths, (T, B, P), never falling.

    A function that stands keeps its last point. The scale of the parameters is taken to be about 1: so far the first
    step goes at most.
    """
    point, (value, slope) = start, _with_slope(values, start, torch.arange(len(start), device=start.device))
    hessian = _identities(point)  # minus the inverse of it, estimated
    path, stood = [point], torch.zeros(len(start), dtype=torch.int64, device=start.device)
    yield 0.0
    for number in range(MOST_STEPS):
        direction = torch.einsum("bij,bj->bi", hessian, slope)
        if number == 0:
            direction = direction / direction.norm(dim=1, keepdim=True).clamp(min=1.0)
        before = value
        moved, value, new_slope = yield from _line_search(values, point, value, slope, direction, stood < 2)
        stood = torch.where(value - before < STANDS, stood + 1, 0)
        hessian = _updated(hessian, moved - point, slope - new_slope)
        point, slope = moved, new_slope
        path.append(point)
        if bool((stood >= 2).all()):
            break
    return torch.stack(path)


def _line_search(
    values: Values, point: Tensor, value: Tensor, slope: Tensor, direction: Tensor, is_open: Tensor
) -> Slices[tuple[Tensor, Tensor, Tensor]]:
    """Halve each open function's step until it rises enough; return points, values, slopes: the old where none does."""
    point, value, slope = point.clone(), value.clone(), slope.clone()
    promised = (slope * direction).sum(1)
    step, rows = 1.0, torch.nonzero(is_open & (promised > 0)).squeeze(1)
    start = point.clone()
    first_value = value.clone()
    for _ in range(_HALVINGS):
        if not len(rows):
            break
        tried = start[rows] + step * direction[rows]
        new_value, new_slope = _with_slope(values, tried, rows)
        is_good = new_value >= first_value[rows] + _SUFFICIENT * step * promised[rows]
        good = rows[is_good]
        point[good], value[good], slope[good] = tried[is_good], new_value[is_good], new_slope[is_good]
        rows, step = rows[~is_good], step / 2
        yield 0.0
    return point, value, slope


def _with_slope(values: Values, points: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    with torch.enable_grad():
        points = points.detach().requires_grad_()
        value = values(points, rows)
        (slope,) = torch.autograd.grad(value.sum(), points)
    # A point where the function is not a number is never taken.
    return value.detach().nan_to_num(nan=-torch.inf), slope.nan_to_num()


def _updated(hessian: Tensor, step: Tensor, change: Tensor) -> Tensor:
    """The BFGS update of (B, P, P) where the curvature along the step (B, P) is that of a maximum."""
    curvature = (step * change).sum(1)
    is_fit = curvature > 1e-10 * (step.norm(dim=1) * change.norm(dim=1)) + 1e-30
    rho = torch.where(is_fit, curvature, 1.0).reciprocal()[:, None, None]
    turn = _identities(step) - rho * step[:, :, None] * change[:, None, :]
    updated = turn @ hessian @ turn.transpose(1, 2) + rho * step[:, :, None] * step[:, None, :]
    return torch.where(is_fit[:, None, None], updated, hessian)


def _identities(points: Tensor) -> Tensor:
    size = points.shape[1]
    return torch.eye(size, dtype=points.dtype, device=points.device).repeat(len(points), 1, 1)
