"""How many threads a run computes with."""

from __future__ import annotations

import pytest

from vae_explorer.config import RunConfig
from vae_explorer.engine.threads import threads_for


@pytest.mark.parametrize(
    ("values", "n_parameters", "expected"),
    [
        ({}, 54_468, 1),
        ({}, 652_824, 4),
        ({"train.batch_size": 1}, 652_824, 1),
        ({"model.network": "conv"}, 10_000, 4),
    ],
)
def test_only_a_step_with_work_for_them_gets_all_threads(
    values: dict[str, object], n_parameters: int, expected: int
) -> None:
    config = RunConfig().with_values(values)
    assert threads_for(config, n_parameters=n_parameters, available=4) == expected
