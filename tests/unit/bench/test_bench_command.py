"""`vae-explorer bench`: what it sums up and what it refuses."""

import json

import pytest

from vae_explorer.cli import main
from vae_explorer.commands.bench import _summary


def test_ratios_are_medians_of_the_rounds_own_ratios():
    rows = [
        {"steps_per_s": 100.0, "eager_steps_per_s": 50.0, "window_steps_per_s": 90.0},
        {"steps_per_s": 10.0, "eager_steps_per_s": 20.0, "window_steps_per_s": 9.0},
        {"steps_per_s": 30.0, "eager_steps_per_s": 30.0, "window_steps_per_s": 15.0},
    ]
    figures = _summary(rows)
    assert figures["ratio_to_eager"] == 1.0
    assert figures["ratio_under_window"] == 0.9
    assert figures["steps_per_s"] == 30.0


def test_what_was_not_measured_is_none():
    figures = _summary([{"steps_per_s": 3.0, "eager_steps_per_s": 2.0}])
    assert figures["ratio_to_eager"] == 1.5
    for name in ("ratio_to_pythae", "ratio_under_window", "late_p99_ms", "click_p99_ms"):
        assert figures[name] is None


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--rounds", "0"], "--rounds 0: expected a whole number from 1 to 100."),
        (["--device", "cuda:99", "--no-window"], "CUDA device"),
    ],
)
def test_bad_options_end_in_a_sentence(words, sentence, capsys):
    assert main(["bench", *words]) == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.slow
def test_one_round_gives_the_flat_keys(capsys):
    assert main(["bench", "--rounds", "1", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    wanted = {"steps_per_s", "ratio_to_eager", "ratio_to_pythae", "ratio_under_window", "late_p99_ms", "click_p99_ms"}
    assert wanted | {"device", "versions"} <= set(figures)
    assert figures["ratio_to_pythae"] is None
    assert figures["ratio_to_eager"] > 0
    assert figures["click_p99_ms"] > 0
