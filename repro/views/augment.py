"""Turns a batch of images into views, each sample with its own random parameters, on the images' device.

The operations and their order are those of the torchvision pipelines that the papers used: crop and flip,
RandAugment, colour jitter, grayscale, blur, solarise, cutout, normalise.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from repro.errors import UserError
from repro.options import Views
from repro.views import colour
from repro.views.blur import gaussian_blur
from repro.views.cutout import cutout
from repro.views.draws import Draws
from repro.views.geometry import Boxes, Filter, crop_resize, padded_boxes, random_resized_boxes, whole
from repro.views.randaugment import randaugment


class Augment:
    """Makes the views that the options describe of every image.

    `mean` and `std` (of pixels in 0..1, per channel) are used unless the options have their own, and `size`
    likewise. Raises UserError for options that do not fit the size.
    """

    def __init__(self, options: Views, size: int, mean: Sequence[float], std: Sequence[float]) -> None:
        self.views = [One(o, size, mean, std) for o in options.each or [options] * options.count]
        local = options.local
        self.local = [One(o, size, mean, std) for o in local.each or [local] * local.count] if local else []

    @torch.no_grad()
    def __call__(self, images: Tensor, key: int, index: Tensor) -> dict[str, Tensor]:
        """images (n, C, H, W) uint8, index (n,) int64 -> `views` (n, V, C, S, S) float32, `local` (n, L, C, s, s).

        The draws of a sample depend only on `key`, its `index` in the data set, the view and the operation.
        """
        with torch.autocast(images.device.type, enabled=False):
            pixels = _unit_range(images)
            made = [one(pixels, Draws(key, v, index)) for v, one in enumerate(self.all)]
        return self._named(made)

    @torch.no_grad()
    def finish(self, crops: Sequence[Tensor], key: int, index: Tensor) -> dict[str, Tensor]:
        """The same from crops that are cut and resized already: for each view (n, C, S, S) uint8."""
        if any(
            o.pad_with or (o.randaugment and o.randaugment.first) for o in (one.options for one in self.all)
        ):
            raise UserError(
                "views: `pad_with` and `randaugment: first` need images that are in memory, and these stay encoded; "
                "take them out, or use another data set."
            )
        with torch.autocast(index.device.type, enabled=False):
            pairs = enumerate(zip(self.all, crops, strict=True))
            made = [one.finish(_unit_range(x), Draws(key, v, index)) for v, (one, x) in pairs]
        return self._named(made)

    @property
    def all(self) -> list[One]:
        """The views and the local views, in the order of their numbers."""
        return [*self.views, *self.local]

    def _named(self, made: list[Tensor]) -> dict[str, Tensor]:
        count = len(self.views)
        local = {"local": torch.stack(made[count:], 1)} if self.local else {}
        return {"views": torch.stack(made[:count], 1)} | local


class One:
    """One view of every image."""

    def __init__(self, options: Views, size: int, mean: Sequence[float], std: Sequence[float]) -> None:
        self.options = options
        self.size = options.size or size
        self.filter = filter_of(options)
        self.mean, self.std = mean, std
        if options.normalise:
            self.mean, self.std = options.normalise.mean, options.normalise.std
        if options.blur and options.blur.kernel >= 2 * self.size:
            raise UserError(
                f"views: a blur with `kernel: {options.blur.kernel}` does not fit views of {self.size} pixels: "
                f"give a number below {2 * self.size}."
            )

    def __call__(self, pixels: Tensor, draws: Draws) -> Tensor:
        """pixels (n, C, H, W) in 0..1 -> (n, C, S, S) float32."""
        if self.options.randaugment and self.options.randaugment.first:
            pixels = pixels.clone()
            self._randaugment(pixels, draws)
        boxes = self.boxes(draws, *pixels.shape[2:]) or whole(pixels)
        return self._coloured(self._cropped(pixels, boxes, self._flip(draws)), draws)

    def finish(self, pixels: Tensor, draws: Draws) -> Tensor:
        """pixels (n, C, S, S) in 0..1, cut and resized already -> (n, C, S, S) float32, flipped and coloured."""
        flip = self._flip(draws)
        if flip is not None:
            pixels = torch.where(flip[:, None, None, None], pixels.flip(-1), pixels)
        return self._coloured(pixels, draws)

    def boxes(self, draws: Draws, height: int, width: int) -> Boxes | None:
        """What is cut out of images of this size; None when nothing is."""
        if self.options.crop:
            return random_resized_boxes(draws, self.options.crop, height, width)
        if self.options.pad_crop:
            return padded_boxes(draws, self.options.pad_crop, height, width, self.size)
        return None

    def _cropped(self, pixels: Tensor, boxes: Boxes, flip: Tensor | None) -> Tensor:
        """The boxes of the images, resized; what of a padded box lies outside is black, or as the options say."""
        padding = self.options.pad_crop or 0
        if self.options.pad_with == "reflection":
            pixels = F.pad(pixels, [padding] * 4, mode="reflect")
            boxes = boxes._replace(top=boxes.top + padding, left=boxes.left + padding)
        if self.options.pad_with == "mean":
            outside = pixels.new_tensor(self.mean)[:, None, None]
            return crop_resize(pixels - outside, boxes, self.size, flip, self.filter) + outside
        return crop_resize(pixels, boxes, self.size, flip, self.filter)

    def _randaugment(self, images: Tensor, draws: Draws) -> None:
        """Changes the images."""
        options = self.options.randaugment
        if options:
            mean = images.new_tensor(self.mean)
            randaugment(images, draws, options, mean if options.fill == "mean" else torch.zeros_like(mean))

    def _flip(self, draws: Draws) -> Tensor | None:
        return draws.happens("flip", self.options.flip) if self.options.flip else None

    def _coloured(self, images: Tensor, draws: Draws) -> Tensor:
        """images (n, C, S, S) in 0..1, which this changes -> (n, C, S, S)."""
        options = self.options
        if options.randaugment and not options.randaugment.first:
            self._randaugment(images, draws)
        if options.jitter:
            colour.jitter(images, draws, options.jitter)
        if options.grayscale:
            at = draws.chosen("grayscale", options.grayscale)
            images[at] = colour.grayscale(images[at])
        if options.blur:
            at = draws.chosen("blur", options.blur.p)
            sigma = draws.between("sigma", *options.blur.sigma)[at]
            images[at] = gaussian_blur(images[at], sigma, options.blur.kernel)
        if options.solarise:
            at = draws.chosen("solarise", options.solarise.p)
            images[at] = colour.solarise(images[at], options.solarise.threshold)
        if options.cutout:
            images = cutout(images, draws, options.cutout, images.new_tensor(self.mean))
        return _normalise(images, self.mean, self.std)


def filter_of(options: Views) -> Filter | None:
    """The interpolation of the views, and of images for evaluation; None is bilinear."""
    return options.crop.filter if options.crop else None


@torch.no_grad()
def plain(
    images: Tensor, mean: Sequence[float], std: Sequence[float], size: int, filter: Filter | None = None
) -> Tensor:
    """images (n, C, H, W) uint8 -> (n, C, size, size) float32 for evaluation: resized if need be, normalised."""
    with torch.autocast(images.device.type, enabled=False):
        pixels = _unit_range(images)
        if images.shape[2:] != (size, size):
            pixels = crop_resize(pixels, whole(pixels), size, filter=filter)
        return _normalise(pixels, mean, std)


def _unit_range(images: Tensor) -> Tensor:
    return images.to(torch.float32) / 255


def _normalise(images: Tensor, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Normalises (n, C, H, W) per channel, in place."""
    if not len(mean) == len(std) == images.shape[1]:
        raise UserError(
            f"views: {len(mean)} means and {len(std)} standard deviations do not fit images with "
            f"{images.shape[1]} channels."
        )
    mean_, std_ = (images.new_tensor(values)[:, None, None] for values in (mean, std))
    return images.sub_(mean_).div_(std_)
