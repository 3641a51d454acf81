"""Long questions: the newest of a channel, a slice each in turns, and what happens to the one under way."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
import pytest
from conftest import Engine

from vae_explorer.engine import messages as m
from vae_explorer.engine.asking import Questions
from vae_explorer.engine.outbox import Outbox
from vae_explorer.latent import em


class Work:
    """Questions of five slices each; `steps` tells which were worked, in order."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, int]] = []
        self.outbox = Outbox(lambda: None)
        self.questions = Questions(self.outbox, self.begin)

    def begin(self, request: m.Request) -> Generator[float, None, m.Answer]:
        for share in range(5):
            self.steps.append((request.channel, request.id))
            yield share / 5
        return m.RequestFailed(request.channel, request.id, "done")

    def drain(self) -> list[tuple[str, int]]:
        while self.questions.has_work:
            self.questions.work_slice()
        return [(event.channel, event.id) for event in self.outbox.take_all() if isinstance(event, m.RequestFailed)]


def climb(channel: str, id_: int) -> m.Climb:
    return m.Climb(channel, id_, index=0)


def decode(channel: str, id_: int) -> m.Decode:
    return m.Decode(channel, id_, np.zeros((100, 2), np.float32))


def test_questions_of_several_channels_take_turns() -> None:
    work = Work()
    work.questions.ask(climb("ladder", 1))
    work.questions.ask(decode("plane", 1))
    assert sorted(work.drain()) == [("ladder", 1), ("plane", 1)]
    assert work.steps[:4] == [("ladder", 1), ("plane", 1)] * 2


def test_a_newer_question_of_the_theory_ends_the_one_under_way() -> None:
    work = Work()
    work.questions.ask(climb("ladder", 1))
    work.questions.work_slice()
    work.questions.ask(climb("ladder", 2))
    work.questions.ask(climb("ladder", 3))
    assert work.drain() == [("ladder", 3)]
    assert work.steps == [("ladder", 1)] + [("ladder", 3)] * 5


def test_pictures_under_way_are_finished_and_then_the_newest_is_made() -> None:
    """Under a drag each question would otherwise end the one before, and none be answered."""
    work = Work()
    work.questions.ask(decode("plane", 1))
    work.questions.work_slice()
    work.questions.ask(decode("plane", 2))
    work.questions.ask(decode("plane", 3))
    for _ in range(4):
        work.questions.work_slice()
    work.questions.ask(decode("plane", 4))
    assert work.drain()[-1] == ("plane", 4)
    assert [id_ for _, id_ in dict.fromkeys(work.steps)] == [1, 4]


# ---- EM -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def points() -> np.ndarray:
    rng = np.random.default_rng(0)
    centres = np.repeat([[-2.0, 0.0], [2.0, 1.0], [0.0, 3.0]], 100, axis=0)
    return (centres + rng.normal(size=(300, 2))).astype(np.float32)


def test_em_is_worked_without_a_model_and_says_what_the_library_says(engine: Engine, points: np.ndarray) -> None:
    engine.put(m.FitMixture("em", 1, points, "start", components=3))
    started = engine.wait_for(m.MixtureFitted)
    engine.put(m.FitMixture("em", 2, points, "fit", mixture=started.mixture))
    fitted = engine.wait_for(m.MixtureFitted, lambda answer: answer.id == 2)
    expected = em.fit(points, em.start(points, 3).mixture)
    np.testing.assert_allclose(fitted.mixture.means, expected.mixture.means, atol=1e-9)
    assert fitted.log_likelihood == pytest.approx(expected.log_likelihood, abs=1e-12)
    assert (fitted.step, fitted.iterations) == (0, expected.iterations)
    assert 20 < fitted.iterations < 200, "a fit of more than one slice that has come to stand"
    assert (fitted.responsibilities.shape, fitted.responsibilities.flags.writeable) == ((300, 3), False)


def test_a_fit_ends_after_the_rounds_that_it_was_given(engine: Engine, new_run: m.NewRun, points: np.ndarray) -> None:
    first = em.start(points, 3).mixture
    engine.put(new_run, m.FitMixture("em", 1, points, "fit", mixture=first, iterations=23))
    fitted = engine.wait_for(m.MixtureFitted)
    assert fitted.iterations == 23
    np.testing.assert_allclose(fitted.mixture.means, em.fit(points, first, iterations=23).mixture.means, atol=1e-9)


def test_what_em_cannot_do_is_said_to_its_channel(engine: Engine, points: np.ndarray) -> None:
    engine.put(m.FitMixture("em", 1, points, "start", components=301))
    assert "301 components" in engine.wait_for(m.RequestFailed).message
    engine.put(m.FitMixture("em", 2, points, "fit"))
    assert "press Start" in engine.wait_for(m.RequestFailed, lambda failure: failure.id == 2).message
    assert not engine.of_kind(m.EngineFailed)
