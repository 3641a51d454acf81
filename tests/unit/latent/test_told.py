"""Sentences that can be said in another language after they were put together."""

from __future__ import annotations

import json
import pickle

import pytest

from vae_explorer.latent.collapse import CollapseVerdict
from vae_explorer.latent.collapse_words import verdict_sentences
from vae_explorer.latent.told import Template, Told, translated

GERMAN = {
    "{n:,} of {what}.": "{n:,} von {what}.",
    "{k} images": "{k} Bildern",
    "It is done.": "Es ist getan.",
}


def german(text: str) -> str:
    return GERMAN.get(text, text)


def test_a_told_sentence_is_its_text() -> None:
    told = Told("{n:,} of {what}.", n=1200, what=Told("{k} images", k=3))
    assert told == "1,200 of 3 images."
    assert json.dumps([told]) == '["1,200 of 3 images."]'


def test_it_can_be_said_in_another_language_with_what_stands_in_it() -> None:
    told = Told("{n:,} of {what}.", n=1200, what=Told("{k} images", k=3))
    assert translated(told, german) == "1,200 von 3 Bildern."
    assert translated("It is done.", german) == "Es ist getan."
    assert translated(Told("{n:,} of {what}.", n=2, what="{k} images"), german) == "2 von {k} images.", "a plain value"


def test_it_survives_the_way_to_another_process() -> None:
    told = Told("{n:,} of {what}.", n=1200, what=Told("{k} images", k=3))
    again = pickle.loads(pickle.dumps(told))
    assert again == told
    assert translated(again, german) == "1,200 von 3 Bildern."


@pytest.mark.parametrize("off", [(), (1,), (0, 1), tuple(range(12))])
@pytest.mark.parametrize("since", [None, 0, 400])
def test_every_sentence_of_the_verdict_can_be_said_later(off: tuple[int, ...], since: int | None) -> None:
    finding = "used" if not off else "collapsed" if len(off) == 12 else "some_off"
    steps = tuple(since if dim % 2 else 100 for dim in off)
    verdict = CollapseVerdict(finding=finding, n_dims=12, off=off, since=steps, least_used=None)
    plain, later = verdict_sentences(verdict), verdict_sentences(verdict, Template)
    assert plain == later
    shouted = verdict_sentences(verdict, lambda text: text.replace("dimension", "DIMENSION"))
    assert [translated(text, lambda part: part.replace("dimension", "DIMENSION")) for text in later] == shouted
    assert shouted != plain
