"""How many threads torch computes with: all of them only where a step has work for them."""

from __future__ import annotations

from vae_explorer.config import RunConfig

SMALL_STEP = 20_000_000
"""Parameters times batch size below which a step of an MLP gains nothing from a second thread.

Digits 64-400-2 (7 million): 690 steps/s on one core, 718 on two, and 106 on two where another program wants one of
them, because every small operation then waits for the thread that is not there. MNIST 784-400-20 has 83 million.
"""


def threads_for(config: RunConfig, *, n_parameters: int, available: int) -> int:
    """Return the thread count of a run on the CPU: a function of the run, so that its bits do not depend on the day."""
    is_small = config.model.network == "mlp" and n_parameters * config.train.batch_size < SMALL_STEP
    return 1 if is_small else available
