"""Views of a stream of tokens."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from repro.views.draws import Draws
from repro.views.kinds.windows_options import WindowsOptions


class Windows:
    """A stream of tokens -> `views` (n, V, length + 1) int64, V copies of the window from each place on.

    Every place of a stream is a row. So shuffled epochs draw random windows, each place once in an epoch, and `steps`
    says how many; for evaluation, a slice of every `length`-th row takes each token once. Near the end of the stream,
    windows begin so much earlier that they are full.
    """

    Options = WindowsOptions

    def __init__(self, options: WindowsOptions) -> None:
        self.options = options

    def __call__(self, fields: dict[str, Any], draws: Draws) -> dict[str, Tensor]:
        windows = fields[self.options.field].padded(self.options.length + 1).to(draws.index.device)
        return {"views": windows[:, None].expand(-1, self.options.count, -1)}

    def plain(self, fields: dict[str, Any]) -> Tensor:
        """(n, length): the window without its last token."""
        windows: Tensor = fields[self.options.field].padded(self.options.length + 1)
        return windows[:, :-1]
