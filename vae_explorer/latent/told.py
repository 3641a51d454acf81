"""Sentences that remember how they were put together, so that a window can say them in its reader's language."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Translate = Callable[[str], str]


class Told(str):
    """A text like any other, made of a template with named places and what stands in them, itself told or plain."""

    template: str
    values: dict[str, Any]

    def __new__(cls, template: str, /, **values: Any) -> Told:
        told = super().__new__(cls, str.format(template, **values))
        told.template, told.values = str(template), values
        return told

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (self.template, self.values)


class Template(str):
    """A text whose `format` gives a `Told`; as `Translate`, for words that are translated later or not at all."""

    def format(self, *args: Any, **values: Any) -> Told:
        """Return the text with values in its named places."""
        return Told(self, *args, **values)


def translated(text: str, tr: Translate) -> str:
    """Return the text in another language; tr: gives that of a template, or of a text without places."""
    if not isinstance(text, Told):
        return tr(text)
    values = {
        name: translated(value, tr) if isinstance(value, Told | Template) else value
        for name, value in text.values.items()
    }
    return tr(text.template).format(**values)


def _again(template: str, values: dict[str, Any]) -> Told:
    return Told(template, **values)
