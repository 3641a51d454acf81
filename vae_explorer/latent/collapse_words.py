"""The collapse verdict in sentences: what is off, since when, what that means and what to try."""

from __future__ import annotations

from vae_explorer.latent.collapse import CollapseVerdict, LeastUsed
from vae_explorer.latent.told import Translate

_NAMED = 8
"""Dimensions that a sentence names, at most."""


def verdict_sentences(verdict: CollapseVerdict, tr: Translate = str) -> list[str]:
    """Return the verdict, then what it means and what to do; tr: gives a text in the reader's language."""
    n, off = verdict.n_dims, len(verdict.off)
    match verdict.finding:
        case "early":
            return [tr("It is too early to say which dimensions are used.")]
        case "used":
            return [_used(verdict.least_used, tr)]
        case "collapsed":
            return [
                _collapsed(verdict, tr),
                tr(
                    "q(z|x) is the same for every image, so its code says nothing of it and the decoder draws one "
                    "average."
                ),
                tr(
                    "Going on from these weights, try a warm-up of beta first, then free bits (some tenths of a nat "
                    "for each dimension), then a lower beta."
                ),
            ]
    one, many = tr("1 of {n} dimensions is off: {which}."), tr("{off} of {n} dimensions are off: {which}.")
    first = (one if off == 1 else many).format(off=off, n=n, which=_grouped(verdict, tr))
    if verdict.finding == "some_off":
        one, many = tr("The other one carries"), tr("The other {used} carry")
        rest = tr("{who} what there is to say; unused ones cost nothing.")
        return [first, rest.format(who=(one if n - off == 1 else many).format(used=n - off))]
    one, many = tr("Only 1 of {n} carries anything."), tr("Only {used} of {n} carry anything.")
    return [
        first,
        (one if n - off == 1 else many).format(used=n - off, n=n),
        tr(
            "To use more, try a warm-up of beta first, then free bits (some tenths of a nat for each dimension), then "
            "a lower beta."
        ),
    ]


def _used(least: LeastUsed | None, tr: Translate) -> str:
    if least is None:
        return tr("No dimension is off.")
    of_kl = tr("No dimension is off. The least used, {name}, costs {value} nats.")
    of_variance = tr("No dimension is off. The mean of the least used, {name}, varies over images by {value}.")
    return (of_kl if least.is_kl else of_variance).format(name=f"z{least.dim}", value=f"{least.value:.3g}")


def _collapsed(verdict: CollapseVerdict, tr: Translate) -> str:
    """'... since step 1,200' where all that is known agrees on it, else the groups after a colon."""
    one, many = tr("Collapsed: the only dimension is off"), tr("Collapsed: all {n} dimensions are off")
    what = one if verdict.n_dims == 1 else many.format(n=verdict.n_dims)
    if len(set(verdict.since)) == 1:
        return tr("{what}.").format(what=_dated(what, verdict.since[0], tr))
    return tr("{what}: {groups}.").format(what=what, groups=_grouped(verdict, tr))


def _grouped(verdict: CollapseVerdict, tr: Translate) -> str:
    """'z1, z4 since step 300; z7 from the beginning', those that went off last first."""
    off, since = verdict.off, verdict.since
    groups = sorted(set(since), key=lambda step: -1 if step is None else step, reverse=True)
    told = {
        f"group{number}": _dated(
            _names([dim for dim, step in zip(off, since, strict=True) if step == group], tr), group, tr
        )
        for number, group in enumerate(groups)
    }
    return tr("; ".join(f"{{{name}}}" for name in told)).format(**told)


def _dated(what: str, step: int | None, tr: Translate) -> str:
    if step is None:
        return what
    since = tr("{what} from the beginning") if step == 0 else tr("{what} since step {step}")
    return since.format(what=what, step=f"{step:,}")


def _names(dims: list[int], tr: Translate) -> str:
    named = ", ".join(f"z{dim}" for dim in dims[:_NAMED])
    if len(dims) <= _NAMED:
        return named
    return tr("{names} and {n} more").format(names=named, n=len(dims) - _NAMED)
