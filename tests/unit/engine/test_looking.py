"""Looking does not change the training: bit-identical weights with and without a storm of questions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import Engine

from vae_explorer.config import RunConfig
from vae_explorer.data.catalog import open_data
from vae_explorer.engine import messages as m
from vae_explorer.engine.headless import train_headless
from vae_explorer.export.recipe import Recipe
from vae_explorer.runs.folder import RunFolder

STEPS, REQUESTS = 200, 2000


def weights(path: Path) -> dict[str, np.ndarray]:
    folder = RunFolder.open(path)
    entry = folder.find_checkpoint("last")
    assert entry.step == STEPS
    return folder.read_checkpoint(entry)[0]


def ask_about_the_bound(engine: Engine, id_: int, index: int) -> None:
    """What the bound microscope, the formula page and the EM theatre ask, all together."""
    points = np.random.Generator(np.random.Philox(id_)).normal(size=(50, 2)).astype(np.float32)
    engine.put(m.Inspect("bound", id_, index, is_fine=id_ % 1000 == 0), m.Climb("ladder", id_, index, samples=200))
    engine.put(m.Improve("walk", id_, index), m.ReadTerms("terms", id_, index))
    engine.put(m.FitMixture("em", id_, points, "start", components=3))


def storm(engine: Engine, n_images: int, tmp_path: Path, *, has_bound: bool) -> None:
    """Ask 2,000 questions of all kinds while it trains, 200 for every 20 steps, so that they fall all over the run."""
    rng = np.random.Generator(np.random.Philox(3))
    for id_ in range(1, REQUESTS + 1):
        if id_ % 200 == 1:
            engine.put(m.Start(until_step=STEPS * (id_ + 199) // REQUESTS))
        z = rng.normal(size=(65 if id_ % 50 == 0 else 3, 2)).astype(np.float32)
        seed = id_ if id_ % 3 == 0 else None
        match id_ % 4:
            case 0:
                engine.put(m.Encode("encode", id_, rng.integers(0, n_images, 2), seed))
            case 1 if id_ % 40 == 1:
                engine.put(m.Render("gallery", id_, Recipe(what="samples", rows=3, cols=3, seed=id_, draw=True)))
            case _:
                engine.put(m.Decode(f"decode {len(z)}", id_, z, seed))
        if has_bound and id_ % 250 == 0:
            ask_about_the_bound(engine, id_, int(rng.integers(0, n_images)))
        if id_ == REQUESTS // 2:
            engine.put(m.Export(1, Recipe(what="manifold", rows=4, cols=4), tmp_path / "grid.npz"))
        if id_ % 20 == 0:
            engine.wait_for(m.Encoded, lambda answer, id_=id_: answer.id == id_)


@pytest.mark.parametrize("values", [{}, {"data.binarize": "dynamic", "model.kind": "autoencoder"}])
def test_a_storm_of_questions_leaves_no_bit_changed(
    make_engine: Callable[..., Engine], tmp_path: Path, values: dict[str, str]
) -> None:
    config = RunConfig().with_values({"train.steps": STEPS, "train.device": "cpu", "train.log_every": 20, **values})
    data = open_data(config.data)
    stormy, calm = tmp_path / "stormy", tmp_path / "calm"
    engine = make_engine()
    engine.put(m.NewRun(config, data, stormy))
    has_bound = "model.kind" not in values
    storm(engine, len(data), tmp_path, has_bound=has_bound)
    engine.wait_for_state(m.EngineState.FINISHED, step=STEPS)
    engine.wait_for(m.JobDone)
    if has_bound:
        for kind in (m.Inspected, m.Climbed, m.Improved, m.TermsRead, m.MixtureFitted):
            engine.wait_for(kind, lambda answer: answer.id == REQUESTS)
    engine.shut_down()
    assert not engine.of_kind(m.RequestFailed)
    assert not engine.of_kind(m.EngineFailed)
    assert len({answer.step for answer in [*engine.of_kind(m.Decoded), *engine.of_kind(m.Encoded)]}) > 10
    train_headless(config=config, data=data, run_path=calm)
    after_storm, after_calm = weights(stormy), weights(calm)
    assert after_storm.keys() == after_calm.keys()
    for name, array in after_calm.items():
        assert array.tobytes() == after_storm[name].tobytes(), name
