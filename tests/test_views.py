"""Views: policies, exact operations against Pillow and torchvision, and invariances of the draws."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydantic import ValidationError
from pydantic_core import PydanticCustomError
from torchvision.transforms import functional as F

from repro.errors import UserError
from repro.options import Jitter, Views
from repro.options.views import expand
from repro.views import colour
from repro.views.augment import Augment, plain
from repro.views.blur import gaussian_blur
from repro.views.draws import Draws
from repro.views.geometry import Boxes, crop_resize
from repro.views.policies import FOLDER, names

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)
UNIT = {"normalise": {"mean": [0, 0, 0], "std": [1, 1, 1]}}  # leaves pixels in 0..1
EVERYTHING = {"policy": "simclr-cifar", "blur": {"kernel": 5}, "solarise": {"p": 0.3}}
OPERATIONS = ("jitter", "grayscale", "blur", "solarise")


def random_images(n: int, *shape: int, seed: int = 0) -> torch.Tensor:
    """(n, *shape) uint8; some are flat grey, black and white, where hue and saturation are degenerate."""
    images = torch.randint(0, 256, (n, *shape), generator=torch.Generator().manual_seed(seed))
    for at, value in enumerate((128, 0, 255)[: n - 1]):
        images[at] = value
    return images.to(torch.uint8)


def views_of(options: dict, images: torch.Tensor, key: int = 7, index: torch.Tensor | None = None):
    index = torch.arange(len(images)) if index is None else index
    return Augment(expand(options), images.shape[-1], MEAN, STD)(images, key, index)["views"]


# Policies


@pytest.mark.parametrize("name", names())
def test_every_policy_says_its_source_and_expands_once(name):
    assert (FOLDER / f"{name}.yaml").read_text().startswith("# ")
    options = expand({"policy": name, "count": 2})
    assert (options.policy, options.count) == (name, 2)
    assert isinstance(options, Views)
    assert expand(options) is options
    assert expand(options.model_dump()) == options


def test_the_recipe_goes_before_the_policy():
    options = expand(
        {"policy": "simclr-cifar", "flip": None, "grayscale": 0.1, "jitter": {"hue": 0.2}, "blur": {}}
    )
    assert (options.flip, options.grayscale) == (0, 0.1)
    assert (options.jitter.hue, options.jitter.brightness) == (0.2, 0.4)
    assert options.blur.sigma == (0.1, 2.0)
    assert expand({"policy": "simclr-cifar", "jitter": None}).jitter is None
    assert expand({"policy": "simclr-cifar"}).jitter.hue == 0.1


def test_mistakes_in_views_are_explained():
    with pytest.raises(PydanticCustomError, match=r"simclr-cifr.*did you mean `simclr-cifar`"):
        expand({"policy": "simclr-cifr"})
    wrong = ({"policy": "plain", "flip": 2}, {"policy": "plain", "crop": 1}, {"fli": 0.5}, "simclr")
    for bad in ({"policy": 3}, *wrong):
        with pytest.raises(ValidationError):
            expand(bad)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"blur": {"kernel": 17}}, "below 16"),
        ({"normalise": {"mean": [0.5], "std": [0.5]}}, "channels"),
        ({"pad_crop": 1, "size": 20}, "larger `pad_crop`"),
    ],
)
def test_views_that_do_not_fit_the_images_are_refused(options, message):
    with pytest.raises(UserError, match=message):
        views_of(options, random_images(2, 3, 8, 8))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"policy": "pad-crop-flip", "crop": {}}, "exclude each other"),
        ({"blur": {"kernel": 4}}, "odd"),
        ({"crop": {"scale": [0.9, 0.2]}}, "above the second"),
        ({"normalise": {"mean": [0.5], "std": [0.5, 0.5]}}, "each channel"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options, message):
    with pytest.raises(ValidationError, match=message):
        expand(options)


# Geometry against Pillow


@settings(max_examples=150, deadline=None)
@given(st.data(), st.integers(4, 70), st.integers(4, 70), st.integers(3, 48), st.booleans())
def test_crop_resize_is_pillows(data, height, width, size, flip):
    h, w = data.draw(st.integers(1, height)), data.draw(st.integers(1, width))
    top, left = data.draw(st.integers(0, height - h)), data.draw(st.integers(0, width - w))
    image = random_images(1, height, width, seed=height * width)[0].numpy()
    box = (left, top, left + w, top + h)
    expected = np.asarray(Image.fromarray(image).crop(box).resize((size, size), Image.Resampling.BILINEAR))
    expected = expected[:, ::-1] if flip else expected

    boxes = Boxes(*(torch.tensor([x]) for x in (top, left, h, w)))
    ours = crop_resize(torch.from_numpy(image)[None, None].float(), boxes, size, torch.tensor([flip]))[0, 0]
    difference = np.abs(ours.numpy() - expected)
    assert difference.max() <= 1.01  # Pillow rounds twice
    if difference.size > 400:
        assert difference.mean() < 0.4


def test_pad_crop_shifts_the_zero_padded_image():
    images = random_images(64, 3, 9, 9)
    options = {"pad_crop": 2, **UNIT}
    padded = torch.nn.functional.pad(images, (2, 2, 2, 2)).float() / 255
    windows = padded.unfold(2, 9, 1).unfold(3, 9, 1).flatten(2, 3)  # (n, C, 25, 9, 9)
    error = (windows - views_of(options, images)[:, 0, :, None]).abs().amax((1, 3, 4))
    assert error.min(1).values.max() < 1e-6
    assert len(error[3:].argmin(1).unique()) > 20


def test_plain_views_are_the_normalised_image():
    images = random_images(5, 3, 12, 12)
    expected = torch.stack([F.normalize(image.float() / 255, MEAN, STD) for image in images])
    torch.testing.assert_close(plain(images, MEAN, STD, 12), expected)
    torch.testing.assert_close(views_of({"policy": "plain"}, images)[:, 0], expected)

    resized = plain(images, (0, 0, 0), (1, 1, 1), 8)
    pillow = [
        Image.fromarray(i.permute(1, 2, 0).numpy()).resize((8, 8), Image.Resampling.BILINEAR) for i in images
    ]
    assert (resized - torch.stack([F.to_tensor(i) for i in pillow])).abs().max() < 1.01 / 255
    torch.testing.assert_close(views_of({"policy": "plain", "size": 8, **UNIT}, images)[:, 0], resized)


def test_inputs_are_left_alone():
    images = random_images(8, 3, 8, 8)
    before = images.clone()
    views_of({**EVERYTHING, "crop": None}, images)
    assert torch.equal(images, before)


# Colour and blur against torchvision


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("ours", "theirs", "low", "high"),
    [
        (colour.brightness, F.adjust_brightness, 0.0, 2.0),
        (colour.contrast, F.adjust_contrast, 0.0, 2.0),
        (colour.saturation, F.adjust_saturation, 0.0, 2.0),
        (colour.hue, F.adjust_hue, -0.5, 0.5),
        (lambda x, _: colour.grayscale(x), lambda x, _: F.rgb_to_grayscale(x, len(x)), 0.0, 1.0),
        (lambda x, _: colour.solarise(x, 0.6), lambda x, _: F.solarize(x, 0.6), 0.0, 1.0),
        (
            lambda x, s: gaussian_blur(x, s, 7),
            lambda x, s: F.gaussian_blur(x, [7, 7], [s, s]),
            0.1,
            2.0,
        ),
    ],
    ids=["brightness", "contrast", "saturation", "hue", "grayscale", "solarise", "blur"],
)
def test_operations_are_torchvisions(ours, theirs, low, high, channels):
    images = random_images(40, channels, 8, 10).float() / 255
    factor = torch.linspace(low, high, len(images))
    expected = torch.stack([theirs(image, f.item()) for image, f in zip(images, factor, strict=True)])
    torch.testing.assert_close(ours(images, factor), expected, atol=2e-6, rtol=1e-5)


def test_blur_may_be_wider_than_the_image():
    images = random_images(4, 3, 5, 5).float() / 255
    expected = F.gaussian_blur(images, [9, 9], [1.5, 1.5])
    torch.testing.assert_close(gaussian_blur(images, torch.full((4,), 1.5), 9), expected)


def test_jitter_is_torchvisions_operations_in_each_samples_own_order():
    functions = (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue)
    strengths = {"brightness": 0.8, "contrast": 1.2, "saturation": 0.5, "hue": 0.3}
    images = random_images(60, 3, 6, 6).float() / 255
    draws = Draws(3, 0, torch.arange(60))
    order = draws.unit("order", 4).argsort(1)
    factors = torch.stack(
        [draws.between(k, *((-s, s) if k == "hue" else (max(0, 1 - s), 1 + s))) for k, s in strengths.items()]
    )
    expected = images.clone()
    for sample in draws.chosen("jitter", 0.7):
        for number in order[sample]:
            expected[sample] = functions[number](expected[sample], factors[number, sample].item())
    colour.jitter(images, draws, Jitter(p=0.7, **strengths))
    torch.testing.assert_close(images, expected, atol=5e-6, rtol=1e-5)
    assert len(order.unique(dim=0)) > 15


def test_grey_images_ignore_colour():
    images = random_images(30, 1, 8, 8)
    grey = {"mean": [0.5], "std": [0.2]}
    options = {"policy": "digits", "normalise": grey}
    colourful = {**options, "grayscale": 1.0, "jitter": {"p": 1, "brightness": 0, "contrast": 0}}
    assert torch.equal(views_of(colourful, images), views_of(options, images))


# Invariances


def test_views_have_the_promised_form():
    views = views_of({**EVERYTHING, "count": 3, "size": 6}, random_images(5, 3, 8, 8))
    assert views.shape == (5, 3, 3, 6, 6)
    assert views.dtype == torch.float32
    assert views_of(EVERYTHING, random_images(5, 3, 8, 8)[:0]).shape == (0, 1, 3, 8, 8)


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(24)), st.integers(1, 24), st.integers(0, 2**62))
def test_views_depend_neither_on_division_nor_on_order_nor_on_company(order, chunk, key):
    images, options = random_images(24, 3, 8, 8), {**EVERYTHING, "count": 2}
    together = views_of(options, images, key)
    parts = torch.tensor(order).split(chunk)
    apart = torch.cat([views_of(options, images[part], key, part) for part in parts])
    torch.testing.assert_close(apart, together[order], atol=1e-6, rtol=0)

    others = random_images(24, 3, 8, 8, seed=1)
    others[5] = images[5]
    torch.testing.assert_close(views_of(options, others, key)[5], together[5], atol=1e-6, rtol=0)


def test_views_are_repeatable_and_differ_between_views_keys_and_samples():
    images = random_images(1, 3, 8, 8).expand(16, -1, -1, -1)
    options = {"policy": "simclr-cifar", "count": 2}
    first, again, other = (views_of(options, images, key) for key in (1, 1, 2))
    assert torch.equal(first, again)
    one, two = first.unbind(1)
    for a, b in ((one, two), (first, other), (one, one.roll(1, 0))):
        assert (a - b).flatten(1).abs().amax(1).min() > 1e-3


@pytest.mark.parametrize("name", OPERATIONS)
def test_switching_an_operation_off_leaves_the_other_draws_alone(name):
    images = random_images(200, 3, 8, 8)
    options = expand(EVERYTHING).model_dump()
    p = options[name] if name == "grayscale" else options[name]["p"]
    happens = Draws(7, 0, torch.arange(200)).happens(name, p)
    on, off = views_of(options, images), views_of({**options, name: None}, images)
    assert torch.equal(on[~happens], off[~happens])
    assert 0.5 < happens.float().mean() / p < 1.5
    assert (on[happens] != off[happens]).flatten(1).any(1).float().mean() > 0.5


def test_switching_the_flip_off_mirrors_the_flipped():
    images = random_images(200, 3, 8, 8)
    flips = Draws(7, 0, torch.arange(200)).happens("flip", 0.5)[:, None, None, None, None]
    on, off = views_of(EVERYTHING, images), views_of({**EVERYTHING, "flip": None}, images)
    torch.testing.assert_close(on, torch.where(flips, off.flip(-1), off), atol=1e-5, rtol=0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_views_are_the_same_on_a_gpu():
    images, options = random_images(64, 3, 32, 32), {**EVERYTHING, "count": 2}
    there = views_of(options, images.cuda(), 7, torch.arange(64).cuda())
    assert there.is_cuda
    far = (there.cpu() - views_of(options, images)).abs() > 1e-4
    assert far.float().mean() < 1e-3  # a value at the solarisation threshold may fall on either side


def test_the_callers_autocast_does_not_reach_the_views():
    images = random_images(8, 3, 8, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        views = views_of(EVERYTHING, images)
    assert torch.equal(views, views_of(EVERYTHING, images))
