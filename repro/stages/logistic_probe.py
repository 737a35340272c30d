"""Linear evaluation by L-BFGS: multinomial logistic regression on cached features of a frozen encoder."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor

from repro.engine.features import accuracy, extract, frozen, labelled
from repro.engine.keys import key
from repro.engine.stage import Context, Outcome, Stage
from repro.errors import UserError
from repro.networks.build import trained
from repro.stages.fine_tune import balanced
from repro.stages.logistic_probe_options import LogisticProbeOptions

HELD_OUT = 0.1  # of each class's training images, when C is chosen


class LogisticProbe(Stage):
    """Fits scikit-learn's LogisticRegression to the features of the training images, without augmentation.

    The objective is ½‖W‖² + C · Σ cross-entropy in nats, the sum over the images. Of several `C`, the one is
    taken that is best on a held-out tenth of the training split (of equals the smallest), and all of the split is
    then fitted with it; the test split has no part in that. This is how Radford et al. 2021 (arXiv 2103.00020,
    appendix A.3; recalled, not checked) probe. `features` are brought to mean 0 and variance 1 over the images
    that are fitted, or to unit length. Metrics: `top1`, `top5`, percent of the test split.
    """

    Options = LogisticProbeOptions

    def run(self, ctx: Context) -> Outcome:
        train, test = labelled(ctx, "train"), labelled(ctx, "test")
        if len(train.labels.unique()) < 2:
            raise UserError(
                f"Stage `{ctx.stage}`: a logistic probe needs images of two classes at least, and all are of one."
            )
        encoder = trained(ctx, self.options.of, train).encoder
        stage: Any = ctx.recipe.stages[self.options.of]
        with frozen(encoder):
            bank, queries = (extract(ctx, encoder, d, stage.views).cpu() for d in (train, test))
        found = None
        if ctx.setup.main:
            classifier, facts = self._fitted(bank, train.labels, ctx.seed)
            found = accuracy(logits(classifier, queries, train.classes), test.labels), facts
        metrics, facts = ctx.setup.agree(found)
        return Outcome(metrics, facts=facts)

    def _fitted(self, features: Tensor, labels: Tensor, seed: int) -> tuple[Any, dict[str, Any]]:
        """The classifier of training features (n, d) and labels (n,), and what the record says of it."""
        o, facts = self.options, {}
        C = o.C
        if isinstance(C, tuple):
            tried = self.held_out(features, labels, seed)
            C = max(sorted(tried), key=lambda C: tried[C])
            facts["held_out_top1"] = {f"{C:g}": top1 for C, top1 in tried.items()}
        classifier = fitted(features, labels, C, o.features, o.iterations)
        iterations = int(classifier[-1].n_iter_[0])
        return classifier, {"C": C, "iterations": iterations, "converged": iterations < o.iterations, **facts}

    def held_out(self, features: Tensor, labels: Tensor, seed: int) -> dict[float, float]:
        """Each C -> the accuracy, in percent, on the held-out tenth when the other nine are fitted."""
        o, held = self.options, torch.zeros(len(labels), dtype=torch.bool)
        held[balanced(labels, HELD_OUT, key(seed, "held-out"))] = True
        classes = int(labels.max()) + 1
        tried = {}
        for C in o.C:
            classifier = fitted(features[~held], labels[~held], C, o.features, o.iterations)
            tried[C] = accuracy(logits(classifier, features[held], classes), labels[held])["top1"]
        return tried

    @classmethod
    def smoke(cls, options: Any) -> Any:
        return options.model_copy(update={"iterations": min(options.iterations, 5)})


def fitted(features: Tensor, labels: Tensor, C: float, scaling: str, iterations: int) -> Any:
    """features (n, d), labels (n,) -> scikit-learn's pipeline of scaling and classifier, in float64."""
    from sklearn.exceptions import ConvergenceWarning  # takes a second to import
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import Normalizer, StandardScaler

    scaler = StandardScaler() if scaling == "standardised" else Normalizer()
    pipeline = make_pipeline(scaler, LogisticRegression(C=C, solver="lbfgs", max_iter=iterations))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the record says it
        return pipeline.fit(features.double().numpy(), labels.numpy())


def logits(classifier: Any, features: Tensor, classes: int) -> Tensor:
    """features (m, d) -> (m, classes) float64, −∞ for the classes that the classifier has not met."""
    scores = classifier.decision_function(features.double().numpy())
    if scores.ndim == 1:  # two classes: the logit of the second
        scores = np.stack([-scores, scores], 1)
    result = torch.full((len(scores), classes), -torch.inf, dtype=torch.float64)
    result[:, classifier.classes_] = torch.from_numpy(scores)
    return result
