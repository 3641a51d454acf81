"""Live views: a fixed sample that fits the model, within their share of the time."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace

import numpy as np
import pytest
from conftest import Engine
from engine_fakes import FakeModel, FakeSessions

from vae_explorer.data.image_data import ImageData, Splits
from vae_explorer.engine import messages as m
from vae_explorer.engine import views
from vae_explorer.engine.pacing import VIEW_SHARE
from vae_explorer.engine.snapshots import SNAPSHOT_S, LiveSample, live_sample


def test_the_sample_is_fixed_ascending_and_nested() -> None:
    sample, smaller = live_sample(70_000), live_sample(70_000, size=500)
    np.testing.assert_array_equal(sample, live_sample(70_000))
    assert len(sample) == 2000
    assert (np.diff(sample) > 0).all()
    assert np.isin(smaller, sample).all()
    np.testing.assert_array_equal(live_sample(300), np.arange(300))


def test_a_slow_model_shows_fewer_images_and_a_fast_one_more_again() -> None:
    sample = LiveSample(70_000)
    sizes = [len(sample.indices)]
    for times in (0.1, 1.25, 2.5, 1.25, 25.0, 25.0, 0.5, 0.25, 1.25):
        sample.note_cost(times * SNAPSHOT_S)
        sizes.append(len(sample.indices))
    assert sizes == [500, 2000, 2000, 1000, 1000, 250, 250, 250, 500, 500]


def test_a_quarter_of_the_sample_is_of_images_whose_labels_are_used() -> None:
    labelled = np.arange(7, 70_000, 700)
    sample = LiveSample(70_000, labelled=labelled)
    assert np.isin(sample.indices, labelled).sum() >= 100
    assert (np.diff(sample.indices) > 0).all()
    many = LiveSample(70_000, labelled=np.arange(20_000))
    assert len(many.indices) <= 500
    n_first = np.isin(many.indices, live_sample(70_000, size=375)).sum()
    assert n_first == 375, "the others are those of every run"
    np.testing.assert_array_equal(LiveSample(300, labelled=np.arange(100)).indices, np.arange(300))


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def many(data: ImageData) -> ImageData:
    images = np.repeat(data.images, 20, axis=0)
    everything = np.arange(len(images))
    return replace(
        data, images=images, labels=None, splits=Splits(everything[:5000], everything[5000:5500], everything[5500:])
    )


def test_live_views_take_at_most_a_tenth_of_the_time(
    make_engine: Callable[..., Engine], sessions: FakeSessions, new_run: m.NewRun, many: ImageData,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """A step takes 1 ms, 128 codes 2 ms: without a limit the snapshots would take half of the time and more."""
    clock, spent = Clock(), [0.0]
    codes = FakeModel.codes

    def slow_codes(self: FakeModel, indices: np.ndarray) -> object:
        clock.now += 0.002
        spent[0] += 0.002
        return codes(self, indices)

    def step() -> None:
        clock.now += 0.001

    monkeypatch.setattr(FakeModel, "codes", slow_codes)
    sessions.prepare = lambda session: setattr(session, "on_step", step)
    engine = make_engine(sessions=sessions, clock=clock)
    engine.put(m.NewRun(new_run.config, many, new_run.run_path))
    engine.wait_for(m.CodesSnapshot, lambda s: s.is_complete)
    engine.wait_until_idle()
    before_s, spent[0] = clock.now, 0.0
    at_end: list[float] = []

    def last_step() -> None:
        step()
        if sessions.made[0].step == 9_999:
            at_end.append(spent[0])

    sessions.made[0].on_step = last_step
    engine.put(m.Start(until_step=10_000))
    engine.wait_for_state(m.EngineState.FINISHED)
    assert 0.9 * VIEW_SHARE < at_end[0] / (10.0 + at_end[0]) < 0.1
    assert clock.now - before_s > 10.0
    live = [s for s in engine.of_kind(m.CodesSnapshot) if 0 < s.step < 10_000]
    assert live
    assert all(not s.is_complete for s in live)


def test_questions_of_the_theory_have_a_share_of_their_own(
    make_engine: Callable[..., Engine], sessions: FakeSessions, new_run: m.NewRun, many: ImageData,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """However much is asked: 15 % of the time at most, and the posterior does not wait for plane and snapshots."""
    clock, spent = Clock(), {"codes": 0.0, "plane": 0.0, "bound": 0.0}
    codes = FakeModel.codes

    def work(kind: str, seconds: float) -> None:
        clock.now += seconds
        spent[kind] += seconds

    def slow_codes(self: FakeModel, indices: np.ndarray) -> object:
        work("codes", 0.002)
        return codes(self, indices)

    def long_answer(
        request: m.Request, *_: object, is_live: bool, **__: object
    ) -> Generator[float, None, m.RequestFailed]:
        assert is_live
        while not at_end:
            work(request.channel, 0.005)
            yield 0.0
        return m.RequestFailed(request.channel, request.id, "over")

    def step() -> None:
        clock.now += 0.001

    def last_step() -> None:
        step()
        if sessions.made[0].step == 1:
            engine.put(m.Decode("plane", 1, np.zeros((100, 2), np.float32)), m.Inspect("bound", 1, 0, is_fine=False))
        if sessions.made[0].step == 9_998:
            at_end.update(spent)

    at_end: dict[str, float] = {}
    monkeypatch.setattr(FakeModel, "codes", slow_codes)
    monkeypatch.setattr(views, "answer_slices", long_answer)
    sessions.prepare = lambda session: setattr(session, "on_step", last_step)
    engine = make_engine(sessions=sessions, clock=clock)
    engine.put(m.NewRun(new_run.config, many, new_run.run_path), m.Start(until_step=9_999))
    engine.wait_for(m.RunStatus, lambda status: status.step == 9_999)
    engine.wait_until_idle()
    total = 10.0 + sum(at_end.values())
    assert 0.06 < at_end["bound"] / total < 0.08
    assert 0.9 * VIEW_SHARE < (at_end["codes"] + at_end["plane"]) / total < 0.06
    assert min(at_end.values()) > 0.1
    assert sum(at_end.values()) / total < 0.15


def test_when_it_rests_the_sample_comes_first_and_then_all(
    make_engine: Callable[..., Engine], sessions: FakeSessions, new_run: m.NewRun, many: ImageData
) -> None:
    engine = make_engine(sessions=sessions)
    engine.put(m.NewRun(new_run.config, many, new_run.run_path))
    engine.wait_for(m.CodesSnapshot, lambda s: s.is_complete)
    engine.wait_until_idle()
    sizes = [len(s.indices) for s in engine.of_kind(m.CodesSnapshot)]
    assert sizes[-1] == 6000
    assert sizes == [500, 6000]
