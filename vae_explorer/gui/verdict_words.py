"""The collapse verdict in the window's language, and as the text of a label."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication

from vae_explorer.gui.theme import current_theme
from vae_explorer.latent.collapse import CollapseVerdict
from vae_explorer.latent.collapse_words import verdict_sentences


def _tr(text: str) -> str:
    return QCoreApplication.translate("verdict", text)


def verdict_words(verdict: CollapseVerdict) -> list[str]:
    """Return the sentences of a verdict, the verdict itself first."""
    return verdict_sentences(verdict, _tr)


def verdict_html(verdict: CollapseVerdict | None, *, counts_units: bool, has_bound: bool) -> str:
    """Return a verdict as paragraphs: active units first where they can be counted, last that it is no looseness."""
    lines = []
    if verdict is not None:
        if counts_units and verdict.finding != "early":
            text = _tr("{n} of {d} units are active")
            lines.append(f"<b>{text.format(n=verdict.n_dims - len(verdict.off), d=verdict.n_dims)}</b>")
        lines += verdict_words(verdict)
    if has_bound:
        aside = _tr("Collapse is not looseness: with q = p(z) and a decoder that ignores z, the gap of the bound is 0.")
        lines.append(f'<span style="color:{current_theme().muted}">{aside}</span>')
    return "".join(f'<p style="margin:0 0 4px 0">{line}</p>' for line in lines)
