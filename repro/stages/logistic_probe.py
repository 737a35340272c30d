"""Linear evaluation by L-BFGS: multinomial logistic regression on cached features of a frozen encoder."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from repro.engine.features import accuracy, extract, frozen, labelled
from repro.engine.stage import Context, Outcome, Stage
from repro.errors import UserError
from repro.keys import key
from repro.measures.logistic import best, fitted, held_out, logits
from repro.networks.build import trained
from repro.stages.logistic_probe_options import LogisticProbeOptions


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
            tried = held_out(features, labels, C, o.features, o.iterations, key(seed, "held-out"))
            C = best(tried)
            facts["held_out_top1"] = {f"{C:g}": top1 for C, top1 in tried.items()}
        classifier = fitted(features, labels, C, o.features, o.iterations)
        iterations = int(classifier[-1].n_iter_[0])
        return classifier, {"C": C, "iterations": iterations, "converged": iterations < o.iterations, **facts}

    @classmethod
    def smoke(cls, options: Any) -> Any:
        return options.model_copy(update={"iterations": min(options.iterations, 5)})
