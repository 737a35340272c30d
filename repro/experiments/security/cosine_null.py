"""The null law of the test for radioactive data: see `repro.experiments.security.radioactive`."""

from __future__ import annotations

from typing import Any

import numpy as np

from repro.engine.stage import Context, Outcome, Stage
from repro.experiments.security.cosine_null_options import CosineNullOptions
from repro.experiments.security.radioactive import Array, combined_log10, cosine_p, directions, kolmogorov
from repro.keys import generator, key
from repro.pictures import plot

CHUNK = 10_000  # directions at a time, for the memory
SHOWN = 50  # points of each curve in the picture


class CosineNull(Stage):
    """Draws `draws` random directions in R^d for each d of `dims`, and tests their cosines with a fixed one.

    Metrics: `variance_<d>`, d times the mean squared cosine; `ks`, the largest √n sup|F̂ − F| of the p-values from the
    uniform law over all d, and `combined_ks` of those combined by Fisher's rule from `classes` each;
    `false_positives`, percent of the combined ones, of all d, below 5 %. The picture is `p_values.svg`.
    """

    Options = CosineNullOptions

    def run(self, ctx: Context) -> Outcome:
        o = self.options
        cosines = {dim: self._cosines(ctx, dim) for dim in o.dims}
        p = {dim: cosine_p(c, dim) for dim, c in cosines.items()}
        whole = o.draws - o.draws % o.classes
        combined = {dim: 10 ** combined_log10(p[dim][:whole].reshape(-1, o.classes)) for dim in o.dims}
        metrics = {f"variance_{dim}": dim * float(np.square(c).mean()) for dim, c in cosines.items()}
        metrics["ks"] = max(map(kolmogorov, p.values()))
        metrics["combined_ks"] = max(map(kolmogorov, combined.values()))
        metrics["false_positives"] = 100 * float((np.concatenate([*combined.values()]) < 0.05).mean())
        if ctx.setup.main:
            drawn = {f"d = {dim}, combined": quantiles(x) for dim, x in combined.items()}
            law = {"uniform": ([0, 1], [0, 1])}
            plot(ctx.picture("p_values.svg"), drawn, "p-value", "share of draws below", law)
        return Outcome(metrics)

    def _cosines(self, ctx: Context, dim: int) -> Array:
        """Cosines (draws,) of random directions with one that is drawn first and stays."""
        random, left = generator(key(ctx.seed, ctx.stage, dim)), self.options.draws
        fixed, parts = directions(1, dim, random)[0], []
        while left:
            parts.append((directions(min(CHUNK, left), dim, random) @ fixed).numpy())
            left -= len(parts[-1])
        return np.concatenate(parts)

    @classmethod
    def smoke(cls, options: Any) -> Any:
        return options.model_copy(update={"draws": 50 * options.classes})


def quantiles(p: Array) -> tuple[list[float], list[float]]:
    """A few points of the empirical distribution function of p (n,)."""
    share = np.linspace(0, 1, SHOWN)
    return np.quantile(p, share).tolist(), share.tolist()
