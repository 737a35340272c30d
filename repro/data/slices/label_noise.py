"""Labels that are wrong."""

from __future__ import annotations

import torch
from torch import Tensor

from repro.data.slices.base import Slice, labels_of
from repro.data.slices.label_noise_options import LabelNoiseOptions
from repro.data.table import Table
from repro.errors import UserError
from repro.keys import key as key_of
from repro.keys import uniform

# Truck to automobile, bird to aeroplane, deer to horse, cat and dog into each other: Patrini et al. 2017
# (arXiv 1609.03683), section 5.
CIFAR10 = (0, 1, 0, 5, 7, 3, 6, 7, 8, 1)


class LabelNoise(Slice):
    """Wrong labels, independent of the images; the true ones are in the field `clean_label`.

    With `copies`, each sample stays as it is, and α copies of it follow whose labels are drawn from all classes with
    the share `rate` (Rolnick et al. 2017, arXiv 1705.10694, section 3.2).
    """

    Options = LabelNoiseOptions

    def __call__(self, table: Table, key: int) -> Table:
        clean = labels_of(table, "label_noise")
        if self.options.copies is None:
            return table.having(label=self._noisy(clean, table.classes, key), clean_label=clean)
        index = torch.arange(len(table)).repeat(1 + self.options.copies)
        added = self._noisy(clean[index[len(table) :]], table.classes, key)
        whole = table.take(index)
        return whole.having(label=torch.cat([clean, added]), clean_label=clean[index])

    def _noisy(self, labels: Tensor, classes: int, key: int) -> Tensor:
        hit, which = uniform(key_of(key, "noise"), torch.arange(len(labels)), 2).double().unbind(1)
        if self.options.kind == "symmetric":
            other = (which * classes).long()
        elif self.options.kind == "other":
            other = (labels + 1 + (which * (classes - 1)).long()) % classes
        elif self.options.kind == "pair":
            other = (labels + 1) % classes
        elif classes == len(CIFAR10):
            other = torch.tensor(CIFAR10)[labels]
        else:
            raise UserError(
                f"The slice `label_noise` with `kind: cifar10` needs CIFAR-10's classes, and there are {classes} "
                "classes here; use another kind."
            )
        return torch.where(hit < self.options.rate, other, labels)
