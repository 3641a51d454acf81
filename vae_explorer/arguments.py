"""Words of the command line: types that say what they expect, and a parser that refuses in one sentence."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from vae_explorer.errors import nearest_hint


class SentenceParser(argparse.ArgumentParser):
    """Says what is wrong with the words in one line, as every other failure is said, and ends with 2."""

    def error(self, message: str) -> NoReturn:
        sentence = re.sub(r"^argument (\S+): (?=')", r"\1 ", message).removeprefix("argument ")
        if not sentence.endswith((".", "?")):
            sentence += f"; see `{self.prog} --help`."
        self.exit(2, f"vae-explorer: {sentence}\n")

    def refuse_unknown(self, words: Sequence[str]) -> None:
        """Refuse words that no option took, the first by name and with the nearest option there is."""
        if words:
            options = re.findall(r"--[\w-]+", self.format_usage())
            self.error(f"{words[0]}: no such option or argument of `{self.prog}`.{nearest_hint(words[0], options)}")


def one_of(choices: Sequence[str]) -> dict[str, Any]:
    """Return what `add_argument` needs for a word out of a few; unlike its `choices`, a refusal names the nearest."""

    def word(text: str) -> str:
        if text not in choices:
            raise _refused(text, f"one of {', '.join(choices)}", choices)
        return text

    return {"type": word, "metavar": "{" + ",".join(choices) + "}"}


def whole_number(text: str) -> int:
    """Read '64' or '-1'; how large it may be is for the command to say."""
    try:
        return int(text)
    except ValueError:
        raise _refused(text, "a whole number") from None


def checkpoint(text: str) -> str | int:
    """Read 'last', 'best' or a step."""
    if text in ("last", "best"):
        return text
    if not text.isdecimal():
        raise _refused(text, "last, best or a step", ("last", "best"))
    return int(text)


def axes(text: str) -> tuple[int, int]:
    """Read '0,1', two latent dimensions."""
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 2 or not all(part.isdecimal() for part in parts):
        raise _refused(text, "two latent dimensions such as 0,1")
    return int(parts[0]), int(parts[1])


def end(text: str) -> int | tuple[float, ...]:
    """Read an image's index (a whole number) or a code (numbers with commas, or one number with a point)."""
    try:
        return int(text) if text.strip().isdecimal() else tuple(float(part) for part in text.split(","))
    except ValueError:
        raise _refused(text, "an image's number, or a code such as 0.5,-1") from None


def _refused(text: str, expected: str, known: Sequence[str] = ()) -> argparse.ArgumentTypeError:
    return argparse.ArgumentTypeError(f"{text!r}: expected {expected}.{nearest_hint(text, known)}")
