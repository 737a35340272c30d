"""RandAugment and cutout: operations against Pillow, draws against torchvision and transcriptions of the codes."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageEnhance, ImageOps
from torchvision import transforms as T

from repro.options import RandAugment, Views
from repro.views import randaugment as module
from repro.views.augment import Augment
from repro.views.cutout import paint
from repro.views.draws import Draws
from tests.test_views_distribution import DIFFERENT, SIMILAR, SIZE, ours, p_value, photograph, theirs

PIXELS = torch.from_numpy(np.array(photograph())).permute(2, 0, 1)[None] / 255
BLACK = torch.zeros(3)


def pixels(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1) / 255


EXACT: dict[str, tuple[float, Callable[[Image.Image], Image.Image]]] = {
    "posterise": (3, lambda i: ImageOps.posterize(i, 3)),
    "solarise": (100 / 255, lambda i: ImageOps.solarize(i, 100)),
    "autocontrast": (0, ImageOps.autocontrast),
    "equalise": (0, ImageOps.equalize),
    "invert": (0, ImageOps.invert),
    "brightness": (0.4, lambda i: ImageEnhance.Brightness(i).enhance(0.4)),
    "contrast": (1.5, lambda i: ImageEnhance.Contrast(i).enhance(1.5)),
    "colour": (0.3, lambda i: ImageEnhance.Color(i).enhance(0.3)),
    "sharpness": (1.7, lambda i: ImageEnhance.Sharpness(i).enhance(1.7)),
}


@pytest.mark.parametrize("name", EXACT)
def test_an_operation_is_pillows_to_two_steps_of_255(name):
    amount, theirs = EXACT[name]
    mine = module.OPERATIONS[name](PIXELS.clone(), torch.tensor([amount]))
    assert (mine[0] - pixels(theirs(photograph()))).abs().max() < 2.01 / 255


@pytest.mark.parametrize("name", ["autocontrast", "equalise", "sharpness", "posterise"])
def test_flat_images_stay_finite(name):
    flat = torch.full((1, 1, 8, 8), 0.5)
    assert module.OPERATIONS[name](flat, torch.tensor([4.0])).isfinite().all()


AFFINE = {
    "shear_x": (0.27, lambda a: (1, a, 0, 0, 1, 0)),
    "shear_y": (-0.12, lambda a: (1, 0, 0, a, 1, 0)),
    "translate_x": (5.0, lambda a: (1, 0, a, 0, 1, 0)),
    "translate_y": (-3.0, lambda a: (1, 0, 0, 0, 1, a)),
}


@pytest.mark.parametrize("name", AFFINE)
def test_a_shear_or_shift_takes_pillows_nearest_pixels(name):
    amount, coefficients = AFFINE[name]
    mine = module.warp(PIXELS, module.MAPS[name](torch.tensor([amount]), SIZE), BLACK)
    with_pillow = photograph().transform((SIZE, SIZE), Image.Transform.AFFINE, coefficients(amount))
    assert torch.equal(mine[0], pixels(with_pillow))


def test_a_rotation_takes_pillows_nearest_pixels_but_for_ties():
    mine = module.warp(PIXELS, module.MAPS["rotate"](torch.tensor([-21.0]), SIZE), BLACK)
    differ = (mine[0] - pixels(photograph().rotate(21))).abs().amax(0) > 0
    other = (mine[0] - pixels(photograph().rotate(-21))).abs().amax(0) > 0
    assert min(differ.float().mean(), other.float().mean()) < 0.01


def test_outside_is_the_fill_and_cutout_a_clipped_square():
    moved = module.warp(
        PIXELS, module.MAPS["translate_x"](torch.tensor([30.0]), SIZE), torch.tensor([0.2, 0.4, 0.6])
    )
    assert torch.equal(
        moved[0, :, :, 2:], torch.tensor([0.2, 0.4, 0.6])[:, None, None].expand(3, SIZE, SIZE - 2)
    )
    painted = paint(
        torch.ones(2, 1, 10, 10),
        torch.tensor([4.0, 4.0]),
        torch.tensor([[0.55, 0.55], [0.0, 0.95]]),
        BLACK[:1],
    )
    assert (painted[0] == 0).nonzero()[:, 1:].amin(0).tolist() == [3, 3]
    assert (painted[0] == 0).sum() == 16 and (painted[1] == 0).sum() == 2 * 3


# The draws


class OfPillow:
    """The draws of kekmodel/FixMatch-pytorch, TorchSSL and google-research/uda, transcribed, with Pillow."""

    def __init__(self, style: str, ops: int, top: int = 10):
        self.style, self.ops, self.top = style, ops, top
        self.random = random.Random(5)

    def __call__(self, image: Image.Image) -> Image.Image:
        for _ in range(self.ops):
            names = list(module.TABLES[self.style])
            name = self.random.choice(names)
            level = (
                self.random.random() * 10
                if self.style == "torchssl"
                else self.random.randint(1, self.top - 1)
            )
            if self.style == "torchssl" or self.random.random() < 0.5:
                image = self.apply(name, image, level)
        return image

    def apply(self, name: str, image: Image.Image, level: float) -> Image.Image:
        whole = float if self.style == "torchssl" else int
        sign, uda = self.random.choice((-1, 1)), self.style == "uda"
        factor = (1.8 * level / 10 + 0.1) if uda else (0.9 * level / 10 + 0.05)
        shift = sign * whole(level if uda else 0.3 * level / 10 * SIZE)
        shear, cut = sign * 0.3 * level / 10, int(level * 2)
        above = 256 * level / 10 if whole is float else 256 - int(25.6 * level)
        return {
            "identity": lambda: image,
            "autocontrast": lambda: ImageOps.autocontrast(image),
            "equalise": lambda: ImageOps.equalize(image),
            "invert": lambda: ImageOps.invert(image),
            "brightness": lambda: ImageEnhance.Brightness(image).enhance(factor),
            "contrast": lambda: ImageEnhance.Contrast(image).enhance(factor),
            "colour": lambda: ImageEnhance.Color(image).enhance(factor),
            "sharpness": lambda: ImageEnhance.Sharpness(image).enhance(factor),
            "posterise": lambda: ImageOps.posterize(image, 4 - int(0.4 * level) if uda else 4 + int(0.4 * level)),
            "solarise": lambda: ImageOps.solarize(image, above),
            "rotate": lambda: image.rotate(sign * whole(3 * level)),
            "shear_x": lambda: self.affine(image, (1, shear, 0, 0, 1, 0)),
            "shear_y": lambda: self.affine(image, (1, 0, 0, shear, 1, 0)),
            "translate_x": lambda: self.affine(image, (1, 0, shift, 0, 1, 0)),
            "translate_y": lambda: self.affine(image, (1, 0, 0, 0, 1, shift)),
            "cutout": lambda: self.cut(image, cut),
        }[name]()  # fmt: skip

    def affine(self, image: Image.Image, coefficients: tuple[float, ...]) -> Image.Image:
        return image.transform(image.size, Image.Transform.AFFINE, coefficients)

    def cut(self, image: Image.Image, size: int) -> Image.Image:
        row, column, image = self.random.randrange(SIZE), self.random.randrange(SIZE), image.copy()
        box = (column - size // 2, row - size // 2, column + size // 2 - 1, row + size // 2 - 1)
        ImageDraw.Draw(image).rectangle(box, fill=(0, 0, 0))
        return image


WHOLE: dict[str, tuple[dict, Callable, list[dict]]] = {
    "torchvision": (
        {"style": "torchvision"},
        T.RandAugment(),
        [{"style": "torchvision", "magnitude": 14}, {"style": "fixmatch"}],
    ),
    "torchvision, weak": (
        {"style": "torchvision", "ops": 1, "magnitude": 4},
        T.RandAugment(1, 4),
        [{"style": "torchvision", "ops": 1, "magnitude": 9}],
    ),
    "fixmatch": (
        {"style": "fixmatch"},
        OfPillow("fixmatch", 2),
        [{"style": "fixmatch", "ops": 3}, {"style": "torchssl"}],
    ),
    "torchssl": (
        {"style": "torchssl", "ops": 3},
        OfPillow("torchssl", 3),
        [{"style": "torchssl"}, {"style": "fixmatch", "ops": 3}],
    ),
    "uda": ({"style": "uda"}, OfPillow("uda", 2), [{"style": "fixmatch"}, {"style": "uda", "ops": 3}]),
}


@pytest.mark.parametrize("name", WHOLE)
def test_the_draws_are_distributed_as_in_the_codes_and_wrong_settings_are_told_apart(name):
    right, transform, wrong = WHOLE[name]
    reference = theirs([transform], 2500)
    assert p_value(ours({"randaugment": right}, 2500), reference) > SIMILAR
    for options in wrong:
        assert p_value(ours({"randaugment": options}, 2500), reference) < DIFFERENT, options


def test_cutout_and_padding_by_reflection_are_distributed_as_in_the_codes():
    def cut(image: Image.Image) -> Image.Image:
        return OfPillow.cut(painter, image, 16)

    painter = OfPillow("uda", 1)
    reference = theirs([cut], 1200)
    assert p_value(ours({"cutout": {"size": 16, "fill": [0, 0, 0]}}, 1200), reference) > SIMILAR
    assert p_value(ours({"cutout": {"size": 12, "fill": [0, 0, 0]}}, 1200), reference) < DIFFERENT
    reference = theirs([T.RandomCrop(SIZE, padding=4, padding_mode="reflect")], 1200)
    assert p_value(ours({"pad_crop": 4, "pad_with": "reflection"}, 1200), reference) > SIMILAR
    assert p_value(ours({"pad_crop": 4}, 1200), reference) < DIFFERENT


def test_what_lies_outside_of_a_crop_is_the_mean_if_asked_for():
    images = torch.full((6, 3, 8, 8), 255, dtype=torch.uint8)
    views = Augment(Views(pad_crop=4, pad_with="mean"), 8, (0.5, 0.25, 0.75), (1, 1, 1))(
        images, 3, torch.arange(6)
    )
    assert set(views["views"][:, 0, 1].unique().tolist()) == {0.0, 0.75}


def test_the_draws_belong_to_the_sample_and_order_says_where_it_acts():
    images = (255 * PIXELS).round().to(torch.uint8).expand(40, -1, -1, -1)
    options = {
        "pad_crop": 4,
        "randaugment": RandAugment(style="fixmatch", ops=3),
        "cutout": {"size": (0, 16)},
    }
    one, other = (Augment(Views(**o), SIZE, (0.5,) * 3, (1,) * 3) for o in (options, options | {
        "randaugment": RandAugment(style="fixmatch", ops=3, first=True)}))  # fmt: skip
    index = torch.randperm(40, generator=torch.Generator().manual_seed(1))
    whole, parts = one(images, 9, torch.arange(40))["views"], one(images, 9, index)["views"]
    assert torch.equal(whole[index], parts)
    assert not torch.equal(whole, other(images, 9, torch.arange(40))["views"])
    assert torch.equal(images[0], images[1])  # the images themselves stay


def test_strengths_are_those_of_the_style():
    draws = Draws(1, 0, torch.arange(4000))
    number = draws.unit("x", 1)[:, 0]
    fixmatch = module._strength(RandAugment(style="fixmatch", magnitude=10), number)
    assert sorted(set((10 * fixmatch).round().int().tolist())) == [*range(1, 10)]
    assert set(module._strength(RandAugment(style="torchvision"), number).tolist()) == {np.float32(0.3)}
