"""Questions of the map's plane: of one step, at most 64 codes a slice, within the budget of live views, in 8 bits."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from conftest import Engine
from engine_fakes import FakeModel, FakeSessions

from vae_explorer.data.image_data import ImageData
from vae_explorer.engine import messages as m
from vae_explorer.engine.serve import answer
from vae_explorer.latent.mosaic import to_uint8
from vae_explorer.latent.tiles import PICTURES, Pyramid, Sight, whole


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_while_it_trains_a_view_is_of_one_step_and_takes_at_most_a_tenth_of_the_time(
    make_engine: Callable[..., Engine], sessions: FakeSessions, new_run: m.NewRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step takes 1 ms, 64 codes 2 ms; the window asks for the view again as soon as it has an answer."""
    pyramid, sight = Pyramid((1, 8, 8)), Sight((-3.6, 3.6), (-2.4, 2.4), 100.0)
    z = np.zeros((len(whole(pyramid, sight)) * PICTURES, 2), np.float32)
    assert len(z) > 4 * m.SMALL_BATCH
    clock, spent, sizes = Clock(), [0.0], []
    decode = FakeModel.decode

    def slow_decode(self: FakeModel, z: np.ndarray, **rest: object) -> np.ndarray:
        sizes.append(len(z))
        clock.now += 0.002
        spent[0] += 0.002
        return decode(self, z, **rest)

    def step() -> None:
        clock.now += 0.001

    monkeypatch.setattr(FakeModel, "decode", slow_decode)
    sessions.prepare = lambda session: setattr(session, "on_step", step)
    engine = make_engine(sessions=sessions, clock=clock)
    engine.put(new_run)
    engine.wait_for(m.CodesSnapshot, lambda snapshot: snapshot.is_complete)
    engine.wait_until_idle()
    sizes.clear()
    spent[0] = 0.0
    at_end: list[tuple[float, float]] = []
    asked = [0]

    def step_and_ask() -> None:
        step()
        done = len([event for event in engine.of_kind(m.Decoded) if event.channel == "plane"])
        if done == asked[0]:
            asked[0] += 1
            engine.put(m.Decode("plane", asked[0], z))
        if sessions.made[0].step == 2_999:
            at_end.append((spent[0], clock.now))

    sessions.made[0].on_step = step_and_ask
    before_s = clock.now
    engine.put(m.Start(until_step=3_000))
    engine.wait_for_state(m.EngineState.FINISHED)
    engine.wait_until_idle()
    (spent_s, now_s) = at_end[0]
    assert 0.03 < spent_s / (now_s - before_s) < 0.1
    assert max(sizes) <= m.SMALL_BATCH
    answers = [event for event in engine.of_kind(m.Decoded) if event.channel == "plane"]
    assert len(answers) > 3
    for one in answers:
        assert one.images.shape == (len(z), 1, 8, 8)
        assert (one.images[:, 0, 0, :2] == one.step).all()


def test_pictures_of_8_bits_are_the_others_rounded(new_run: m.NewRun, data: ImageData) -> None:
    model = FakeModel(new_run.config)
    images = np.random.default_rng(0).normal(0.5, 0.5, (100, 1, 8, 8)).astype(np.float32)
    images[0, 0, 0, 0] = np.nan
    order = np.arange(100, dtype=np.float32)
    model.decode = lambda z, **rest: images[z[:, 0].astype(int)]  # type: ignore[method-assign]
    z = np.stack([order, order], axis=1)
    found = answer(m.Decode("plane", 1, z, is_8_bit=True), model, data)
    assert isinstance(found, m.Decoded)
    assert found.images.dtype == np.uint8
    assert not found.images.flags.writeable
    np.testing.assert_array_equal(found.images, to_uint8(images))
    plain = answer(m.Decode("plane", 2, z), model, data)
    assert isinstance(plain, m.Decoded)
    assert plain.images.dtype == np.float32
