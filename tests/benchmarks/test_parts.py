"""The parts that speed is made of, one at a time: pytest tests/benchmarks (pytest-benchmark).

Compare two states of the program by `--benchmark-save=NAME`, then `--benchmark-compare=NAME` on the same machine. A
part is a call of what the program itself calls; nothing here asserts a time, which is the machine's as much as ours.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vae_explorer.bench.task import BATCH_SIZE, drawn_images, task_config
from vae_explorer.data.image_data import ImageData
from vae_explorer.engine.messages import SMALL_BATCH
from vae_explorer.engine.slices import drain
from vae_explorer.engine.snapshots import SAMPLE_SIZE, snapshot_slices
from vae_explorer.evaluation.importance import figures_slices
from vae_explorer.runs.folder import RunFolder
from vae_explorer.training.session import TrainingSession

STEPS = 20
"""Updates a round: one alone would be mostly the clock's call."""


@pytest.fixture(scope="module")
def data() -> ImageData:
    return drawn_images(4096)


@pytest.fixture(scope="module")
def session(data):
    """The task of `vae-explorer bench`, warm."""
    session = TrainingSession.new(task_config("cpu"), data)
    advance(session, 10)
    return session


def advance(session: TrainingSession, steps: int) -> None:
    target = session.step + steps
    while session.step < target:
        session.advance()


@pytest.mark.parametrize(
    "changes",
    [{}, {"model.latent_dim": 2}, {"objective.bound": "iwae", "objective.samples": 5}, {"train.optimizer": "rmsprop"}],
    ids=["784-400-20", "784-400-2", "iwae-5", "rmsprop"],
)
def test_twenty_updates(benchmark, data, changes):
    session = TrainingSession.new(task_config("cpu", **changes), data)
    advance(session, 10)
    benchmark(advance, session, STEPS)


def test_decode_what_a_small_request_holds(benchmark, session):
    codes = np.random.default_rng(0).standard_normal((SMALL_BATCH, 20)).astype(np.float32)
    pictures = benchmark(session.decode, codes)
    assert pictures.shape == (SMALL_BATCH, 1, 28, 28)


def test_encode_one_clicked_image(benchmark, session):
    encoded = benchmark(session.encode, np.array([7]))
    assert encoded.loc.shape == (1, 20)


def test_copy_the_weights_for_whoever_looks(benchmark, session):
    assert benchmark(session.frozen).step == session.step


def test_a_live_snapshot_of_the_codes(benchmark, session):
    model, indices = session.frozen(), np.arange(SAMPLE_SIZE)
    snapshot = benchmark(lambda: drain(snapshot_slices(model, indices, is_complete=False)))
    assert len(snapshot.loc) == SAMPLE_SIZE


def test_log_px_of_four_images_by_a_thousand_samples(benchmark, session):
    model = session.frozen()
    benchmark(lambda: drain(figures_slices(model, np.arange(4), samples=1000, seed=0)))


def test_write_a_checkpoint(benchmark, session, data, tmp_path):
    folder = RunFolder.create(tmp_path / "run", config=session.config, data=data, device="cpu")
    arrays, meta = session.state()
    benchmark(folder.write_checkpoint, session.step, arrays, meta)


def test_the_products_of_a_step_alone(benchmark):
    """What no program can do without: the seven matrix products of an update of 784-400-20, forward and backward."""
    x, hidden = torch.randn(BATCH_SIZE, 784), torch.randn(BATCH_SIZE, 400)
    wide, narrow = torch.randn(400, 784), torch.randn(400, 20)

    def products() -> None:
        torch.mm(x, wide.T)
        torch.mm(hidden.T, x)
        torch.mm(hidden, narrow)
        torch.mm(hidden, narrow)
        torch.mm(hidden, wide)
        torch.mm(x, wide.T)
        torch.mm(hidden.T, x)

    benchmark(products)
