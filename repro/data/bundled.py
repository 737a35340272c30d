"""Data sets that come with scikit-learn and scikit-image."""

from __future__ import annotations

from typing import Any

import numpy as np

DIGITS_TRAIN = 1437


def digits(split: str) -> tuple[np.ndarray, np.ndarray]:
    """`sklearn.datasets.load_digits`: images (n, 1, 8, 8) uint8, scaled from 0..16 to 0..255, and labels (n,).

    There is no official split. This one is by position and not random: the rows stand writer after writer, and
    those after the first 1,437 are by writers of whom training has seen next to nothing.
    """
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    rows = slice(DIGITS_TRAIN) if split == "train" else slice(DIGITS_TRAIN, None)
    pixels = np.rint(images[rows] * (255 / 16)).astype(np.uint8)
    return pixels.reshape(-1, 1, 8, 8), labels[rows].astype(np.int64)


def camera(split: str) -> tuple[np.ndarray, np.ndarray]:
    """`skimage.data.camera`: one image (1, 1, 512, 512) uint8, label 0. There is only the split `train`."""
    from skimage.data import camera as picture

    return picture()[None, None], np.zeros(1, np.int64)


def iris(split: str) -> dict[str, np.ndarray]:
    """`sklearn.datasets.load_iris`: four columns in centimetres and labels, (150,) each. There is only `train`."""
    from sklearn.datasets import load_iris

    return _columns(load_iris())


def wine(split: str) -> dict[str, np.ndarray]:
    """`sklearn.datasets.load_wine`: thirteen columns and labels, (178,) each. There is only `train`."""
    from sklearn.datasets import load_wine

    return _columns(load_wine())


def _columns(found: Any) -> dict[str, np.ndarray]:
    names = [name.removesuffix(" (cm)").replace(" ", "_") for name in found.feature_names]
    return dict(zip(names, found.data.T, strict=True)) | {"label": found.target}
