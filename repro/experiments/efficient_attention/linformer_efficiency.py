"""Time and memory of the Linformer against the Transformer: Wang et al. 2020 (arXiv 2006.04768), Table 3."""

from __future__ import annotations

import time
from typing import Any

import torch

from repro.engine.stage import Context, Outcome, Stage
from repro.experiments.efficient_attention.linformer_efficiency_options import LinformerEfficiencyOptions
from repro.experiments.efficient_attention.live import Live
from repro.keys import key
from repro.networks.linformer import EncoderLayer
from repro.pictures import plot


class LinformerEfficiency(Stage):
    """One forward pass of an encoder layer on one sequence, with full attention and with projections to K places.

    Memory is counted, not measured: the most bytes at a time of the tensors that a pass makes, in fp32, without
    weights and input; torch's meta device knows them without computing, for all `lengths`. The `timed` lengths
    run, in turn with full attention and with each of `projected`; the least of `repeats` counts, in processor
    seconds, on a GPU in seconds.

    Metrics, for length n and each K: `memory_saved_<n>_k<K>` and `time_saved_<n>_k<K>`, the full pass's over the
    projected one's.
    """

    Options = LinformerEfficiencyOptions

    def run(self, ctx: Context) -> Outcome:
        o = self.options
        curve: list[dict[str, float]] = []
        for n in o.lengths:
            point = {f"bytes{name}": float(self._bytes(n, k)) for name, k in self._kinds()}
            if n in o.timed:
                point |= {f"seconds{name}": seconds for name, seconds in self._seconds(ctx, n).items()}
            curve.append({"step": n, **point})
            ctx.log(stage=ctx.stage, **curve[-1])
        metrics = {}
        for what, name in (("memory_saved", "bytes"), ("time_saved", "seconds")):
            for point in curve:
                for k in o.projected if name in point else ():
                    metrics[f"{what}_{int(point['step'])}_k{k}"] = point[name] / point[f"{name}_k{k}"]
        if ctx.setup.main:
            curves = {
                f"{what}, K = {k}": saved(metrics, what, k)
                for what in ("memory", "time")
                for k in o.projected
            }
            curves = {name: curve for name, curve in curves.items() if curve[0]}
            plot(
                ctx.picture("saved.svg"),
                curves,
                "sequence length",
                "times less than full attention",
                log="xy",
            )
        return Outcome(metrics, curve)

    def _kinds(self) -> list[tuple[str, int | None]]:
        """How each pass is called, and its K; full attention first."""
        return [("", None), *((f"_k{k}", k) for k in self.options.projected)]

    def _layer(self, n: int, projected: int | None) -> EncoderLayer:
        o = self.options
        return EncoderLayer(o.width, o.hidden, o.heads, n, projected)

    @torch.no_grad()
    def _bytes(self, n: int, projected: int | None) -> int:
        with torch.device("meta"):
            layer, x = self._layer(n, projected), torch.empty(1, n, self.options.width)
        with Live() as live:
            layer(x)
        return live.most

    @torch.no_grad()
    def _seconds(self, ctx: Context, n: int) -> dict[str, float]:
        """The least time of a pass of each kind."""
        o = self.options
        torch.manual_seed(key(ctx.seed, ctx.stage, n))
        layers = {name: self._layer(n, k).to(ctx.device) for name, k in self._kinds()}
        x = torch.randn(1, n, o.width).to(ctx.device)
        taken: dict[str, list[float]] = {name: [] for name in layers}
        for repeat in range(o.repeats + 1):
            for name, layer in layers.items():
                began = clock(ctx.device)
                layer(x)
                if repeat:  # the first warms up
                    taken[name].append(clock(ctx.device) - began)
        return {name: max(min(times), 1e-9) for name, times in taken.items()}

    @classmethod
    def smoke(cls, options: Any) -> Any:
        return options.model_copy(update={"width": 8, "hidden": 8, "heads": 1, "repeats": 1})


def clock(device: torch.device) -> float:
    """Seconds: of this process's processors or, once the GPU's work is done, of the wall clock."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        return time.perf_counter()
    return time.process_time()


def saved(metrics: dict[str, float], what: str, k: int) -> tuple[list[int], list[float]]:
    """The lengths and the ratios of one kind, memory or time, for one K."""
    found = {
        int(m.split("_")[2]): v for m, v in metrics.items() if m.startswith(what) and m.endswith(f"_k{k}")
    }
    return list(found), list(found.values())
