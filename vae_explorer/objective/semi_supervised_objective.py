"""What M2 and M1+M2 are trained on: the paper's J / N, in nats per image (Kingma et al. 2014, eqs. 8, 9).

J / N = (N_l / N) mean_l L(x, y) + (N_u / N) mean_u U(x) + alpha mean_l[-log q(y|x)], where L and U are costs: minus the
bounds. The paper's alpha of 0.1 N on sums is 0.1 here.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import cast

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from vae_explorer.config import RunConfig
from vae_explorer.model.class_conditional import ClassConditional, one_hot
from vae_explorer.model.model import Model
from vae_explorer.model.priors import StandardNormal
from vae_explorer.model.semi_supervised import M2, StackedM2
from vae_explorer.objective.log_weights import log_likelihoods
from vae_explorer.objective.semi_supervised import (
    ClassBound,
    labelled_bound,
    unlabelled_bound,
    unlabelled_terms,
)
from vae_explorer.objective.terms import Batch, Live, Packing, TermMeans
from vae_explorer.objective.weight_prior import WeightPrior


class SemiSupervisedObjective:
    """loss = distortion + beta * kl + alpha * classification_loss.

    Labelled and unlabelled images count by their shares in the data, whatever their numbers in a batch; where a batch
    has images of one sort alone, these stand for all. M1+M2: until `train.pretrain_steps` the loss is that of the VAE,
    without labels; then the VAE stands still, and beta weighs the kl of M2.
    """

    needs_prior_codes = False

    def __init__(self, config: RunConfig, *, n_images: int, n_labelled: int) -> None:
        """n_images: that are trained on; n_labelled: those of them whose label is used."""
        is_stacked = config.model.kind == "m1m2"
        self.samples = config.objective.samples
        self.packing = Packing(
            names=("kl", "classification_loss", "classification_error"),
            latent_dim=0 if is_stacked else config.model.latent_dim,
        )
        self._pretrain_steps = config.train.pretrain_steps if is_stacked else 0
        self._labelled_share = n_labelled / n_images
        self._alpha = config.objective.classification_weight
        self._weight_prior = WeightPrior.of(config, n_images=n_images)

    def means(self, model: Model, batch: Batch, *, noise: Tensor, live: Live, step: int) -> TermMeans:
        """As in `Objective`; the classification figures are NaN where no image has a label."""
        if step < self._pretrain_steps:
            return self._means_below(cast(StackedM2, model), batch.x, noise, live)
        if isinstance(model, StackedM2):
            model.stack()
            return self._means_above(model, batch, noise, live)
        bound, logits = self._bound(cast(M2, model).parts, batch.x, batch.labels, noise)
        loss = torch.addcmul(bound.distortion, live.beta, bound.kl) + self._weight_cost(model)
        means = TermMeans(loss, bound.distortion, kl=bound.kl, kl_per_dim=bound.kl_per_dim)
        return self._with_classes(means, logits, batch.labels)

    def _means_below(self, model: StackedM2, x: Tensor, noise: Tensor, live: Live) -> TermMeans:
        """The VAE on its own."""
        posterior = model.posterior(x)
        distortion = -log_likelihoods(model, x, posterior.rsample(model.split_noise(noise)[0])).mean()
        kl = cast(Tensor, posterior.kl_per_dim(StandardNormal(model.latent_dim))).sum(-1).mean()
        loss = torch.addcmul(distortion, live.beta, kl) + self._weight_cost(model.encoder, model.decoder)
        return self._with_classes(TermMeans(loss, distortion, kl=kl), None, None)

    def _means_above(self, model: StackedM2, batch: Batch, noise: Tensor, live: Live) -> TermMeans:
        """M2 on draws of the VAE's codes; what the VAE adds to the joint bound has no gradient."""
        lower, upper = model.split_noise(noise)
        with torch.no_grad():
            posterior = model.posterior(batch.x)
            z = posterior.rsample(lower)
            distortion = self._mean_by_share(-log_likelihoods(model, batch.x, z), batch.labels)
            log_posterior = self._mean_by_share(posterior.log_prob(z), batch.labels)
        bound, logits = self._bound(model.parts, z, batch.labels, upper)
        loss = distortion + log_posterior + torch.addcmul(bound.distortion, live.beta, bound.kl)
        kl = log_posterior + bound.distortion + bound.kl
        means = TermMeans(loss + self._weight_cost(model.parts), distortion, kl=kl)
        return self._with_classes(means, logits, batch.labels)

    def held_out_means(self, model: Model, batch: Batch, *, noise: Tensor, live: Live, step: int) -> TermMeans:
        """As in `Objective`: every image counts as unlabelled, its label is only compared with."""
        terms = unlabelled_terms(model, batch.x, noise)
        distortion, kl = terms.distortion.mean(), cast(Tensor, terms.kl).mean()
        kl_per_dim = cast(Tensor, terms.kl_per_dim).mean(0) if self.packing.latent_dim else None
        loss = torch.addcmul(distortion, live.beta, kl)
        means = TermMeans(loss, distortion, kl=kl, kl_per_dim=kl_per_dim)
        if isinstance(model, StackedM2) and not model.is_stacked:
            return self._with_classes(means, None, None)
        return self._with_classes(means, cast(M2, model).class_logits(batch.x), batch.labels)

    def _bound(
        self, parts: ClassConditional, observed: Tensor, labels: Tensor | None, noise: Tensor
    ) -> tuple[_BoundMeans, Tensor | None]:
        """The mean bound of a batch whose first n images have the labels, and the logits (..., n, Y) of those."""
        total, n = noise.shape[1], _count(labels)
        axis = parts.image_axis
        logits = parts.class_logits(observed)  # (..., B, Y)
        sorts = []
        if labels is not None and n > 0:
            y = one_hot(labels, parts.n_classes)
            sorts.append(labelled_bound(parts, observed.narrow(axis, 0, n), y, noise[:, :n]))
        if n < total:
            log_class = F.log_softmax(logits[..., n:, :], dim=-1)
            sorts.append(unlabelled_bound(parts, observed.narrow(axis, n, total - n), log_class, noise[:, n:]))
        means = [_BoundMeans.of(bound) for bound in sorts]
        mixed = means[0] if len(means) == 1 else means[0].mixed(means[1], self._labelled_share)
        return mixed, logits[..., :n, :] if n > 0 else None

    def _mean_by_share(self, values: Tensor, labels: Tensor | None) -> Tensor:
        """The mean of values (K, B), taken as the bound's is."""
        n = _count(labels)
        if n in (0, values.shape[1]):
            return values.mean()
        return torch.lerp(values[:, n:].mean(), values[:, :n].mean(), self._labelled_share)

    def _with_classes(self, means: TermMeans, logits: Tensor | None, labels: Tensor | None) -> TermMeans:
        """Add what classification costs and how often it errs, over the labels that are known; logits (..., n, Y)."""
        if logits is None or labels is None:
            unknown = means.loss.new_full((), torch.nan)
            return replace(means, classification_loss=unknown, classification_error=unknown)
        rows = logits.flatten(0, -2)
        known = labels.expand(logits.shape[:-1]).flatten()
        is_known = known >= 0
        loss = F.cross_entropy(rows, known, ignore_index=-1)
        wrong = (rows.argmax(-1) != known).logical_and(is_known).sum() / is_known.sum()
        cost = torch.where(is_known.any(), loss, 0.0)
        return replace(
            means, loss=means.loss + self._alpha * cost, classification_loss=loss, classification_error=wrong
        )

    def _weight_cost(self, *modules: nn.Module) -> Tensor | float:
        """What the weights of the modules that are trained cost."""
        prior = self._weight_prior
        return 0.0 if prior is None else torch.stack([prior.cost(module) for module in modules]).sum()


@dataclass(frozen=True, slots=True)
class _BoundMeans:
    """Means of a bound over images, scalars; kl_per_dim (code_dim,)."""

    distortion: Tensor
    kl_per_dim: Tensor
    class_kl: Tensor

    @classmethod
    def of(cls, bound: ClassBound) -> _BoundMeans:
        kl_per_dim = bound.kl_per_dim.flatten(0, -2).mean(0)
        return cls(-bound.log_likelihood.mean(), kl_per_dim, bound.class_kl.mean())

    def mixed(self, other: _BoundMeans, share: float) -> _BoundMeans:
        """Return share * self + (1 - share) * other."""
        names = (field.name for field in fields(self))
        return _BoundMeans(*(torch.lerp(getattr(other, name), getattr(self, name), share) for name in names))

    @property
    def kl(self) -> Tensor:
        """KL of code and class together."""
        return self.kl_per_dim.sum() + self.class_kl


def _count(labels: Tensor | None) -> int:
    return 0 if labels is None else len(labels)
