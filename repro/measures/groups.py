"""The accuracy of a classifier in each group of samples."""

from __future__ import annotations

import torch

from repro.errors import UserError
from repro.measures.base import Measure, Measured, percent
from repro.measures.groups_options import GroupsOptions


class Groups(Measure):
    """Groups are the combinations of values of one or more fields that occur, as of an attribute and the class.

    Metrics: `top1` over all samples; `worst_group`, that of the group with the lowest (Sagawa et al. 2020, arXiv
    1911.08731); `mean_group`, the mean over the groups, each counted once; `gap`, the highest minus the
    lowest; percent.
    """

    Options = GroupsOptions

    def __call__(self, *sets: Measured) -> dict[str, float]:
        test = sets[-1]
        fields = [test.values(field) for field in self.options.by]
        if wrong := [name for name, x in zip(self.options.by, fields, strict=True) if x.dim() != 1]:
            raise UserError(
                f"{test.named}: field `{wrong[0]}` has several numbers a sample, and groups need one."
            )
        _, group = torch.stack([x.double() for x in fields], 1).unique(dim=0, return_inverse=True)
        right = (test.logits.argmax(1) == test.labels).cpu()
        each = [percent(right[group == g]) for g in range(int(group.max()) + 1)]
        return {
            "top1": percent(right),
            "worst_group": min(each),
            "mean_group": sum(each) / len(each),
            "gap": max(each) - min(each),
        }
