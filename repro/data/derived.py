"""Data sets that are made of others."""

from __future__ import annotations

import numpy as np
import torch

TRAINING = 1200  # characters of Omniglot, in the order of its splits and labels


def omniglot_vinyals(split: str) -> tuple[np.ndarray, np.ndarray]:
    """Omniglot as in Vinyals et al. 2016, section 4.1.1: images (n, 1, 28, 28) uint8 and labels (n,).

    `train` are 1,200 characters, all of the background set and the first 236 of the evaluation set; `test` the other
    423. These are the lists `trainval` and `test` of jakesnell/prototypical-networks, data/omniglot/splits/vinyals.
    Each is there in four rotations by 90°, counter-clockwise, as four classes: the label is the character, and the
    number of characters more with each rotation.
    """
    from repro.data.load import load

    background, evaluation = load("omniglot", "train"), load("omniglot", "test")
    images = torch.cat([background.images, evaluation.images]).numpy()
    labels = torch.cat([background.labels, evaluation.labels + background.classes]).numpy()
    chosen = labels < TRAINING if split == "train" else labels >= TRAINING
    images, labels = averaged(images[chosen], 28), labels[chosen] - (0 if split == "train" else TRAINING)
    characters = labels.max() + 1
    turned = [np.rot90(images, quarter, (2, 3)) for quarter in range(4)]
    return np.concatenate(turned), np.concatenate([labels + quarter * characters for quarter in range(4)])


def averaged(images: np.ndarray, size: int) -> np.ndarray:
    """images (n, C, H, H) uint8 -> (n, C, size, size): means over equal areas, exact, rounded half up."""
    side = images.shape[-1]
    pixel = np.arange(side * size) // size  # the side in side · size parts: each pixel has `size` of them,
    weights = np.zeros((size, side))
    np.add.at(weights, (np.arange(side * size) // side, pixel), 1)  # each new one `side`
    sums = (
        weights @ part.astype(np.float64) @ weights.T
        for part in np.array_split(images, len(images) // 1024 + 1)
    )
    return np.concatenate([((2 * s + side**2) // (2 * side**2)).astype(np.uint8) for s in sums])
