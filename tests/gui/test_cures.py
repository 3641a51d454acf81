"""Which cures apply to which run, and what undoing one restores."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fakes import make_opened, make_status

from vae_explorer.config import RunConfig
from vae_explorer.gui.cures import LiveBook, obstacle
from vae_explorer.runs.records import MarkRecord

ALL = ("warmup", "free_bits", "beta")


@pytest.mark.parametrize(
    ("settings", "possible"),
    [
        ({}, ALL),
        ({"model.kind": "autoencoder"}, ()),
        ({"objective.similarity": "mmd", "objective.mmd_weight": 10.0}, ()),
        ({"objective.bound": "iwae"}, ("warmup", "beta")),
        ({"model.prior": "mixture"}, ("warmup", "beta")),
        ({"objective.similarity": "renyi"}, ("warmup", "beta")),
        ({"model.kind": "m2"}, ("warmup", "beta")),
    ],
)
def test_a_cure_that_has_no_effect_says_why(settings: dict, possible: tuple[str, ...]) -> None:
    opened = make_opened()
    opened = replace(opened, config=opened.config.with_values(settings))
    said = {cure: obstacle(cure, opened, make_status()) for cure in ALL}
    assert tuple(cure for cure in ALL if not said[cure]) == possible
    assert all(text.endswith(".") for text in said.values() if text)


def test_a_read_only_run_and_none_at_all_are_not_cured() -> None:
    assert "read-only" in obstacle("beta", replace(make_opened(), is_read_only=True), make_status())
    assert obstacle("beta", None, None)


def test_undo_restores_what_each_application_replaced() -> None:
    book = LiveBook()
    config = RunConfig().with_values({"objective.beta": 4.0})
    book.open(config, [MarkRecord(step=10, time_s=1.0, name="beta", value=2.0)])
    assert not book.can_undo("beta")
    for value in (0.5, 0.1):
        book.apply("beta", value)
    assert [book.undo("beta"), book.undo("beta")] == [0.5, 2.0]
    assert not book.can_undo("beta")
    book.apply("free_bits", 0.1)
    book.open(RunConfig(), ())
    assert not book.can_undo("free_bits"), "another run has another past"


@pytest.mark.parametrize("warmup", ["none", "linear", "cyclic"])
def test_undoing_a_warm_up_gives_back_the_configured_one_or_that_of_before(warmup: str) -> None:
    book = LiveBook()
    book.open(RunConfig().with_values({"objective.warmup": warmup, "objective.warmup_steps": 500}), ())
    for steps in (2000, 100):
        book.apply("warmup", steps)
    assert [book.undo("warmup"), book.undo("warmup")] == [2000, 0], "0: as configured"
