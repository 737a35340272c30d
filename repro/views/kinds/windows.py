"""Views of a stream of tokens."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from repro.views.draws import Draws
from repro.views.field import field
from repro.views.kinds.windows_options import WindowsOptions


class Windows:
    """A stream of tokens -> `views` (n, V, length + 1) int64, V copies of the window from each place on.

    Every place of a stream is a row. So shuffled epochs draw random windows, each place once in an epoch, and
    `steps` says how many; for evaluation, the slice `{every: <length>}` has each token predicted once. Near the end
    of the stream, windows begin so much earlier that they are full.
    """

    Options = WindowsOptions

    def __init__(self, options: WindowsOptions) -> None:
        self.options = options

    def __call__(self, fields: dict[str, Any], draws: Draws) -> dict[str, Tensor]:
        windows = self._windows(fields).to(draws.index.device)
        return {"views": windows[:, None].expand(-1, self.options.count, -1)}

    def plain(self, fields: dict[str, Any]) -> Tensor:
        """(n, length): the window without its last token."""
        return self._windows(fields)[:, :-1]

    def _windows(self, fields: dict[str, Any]) -> Tensor:
        found: Tensor = field(fields, self.options.field).padded(self.options.length + 1)
        return found
