"""The arithmetic of labeler densepose by hand: parts of scores, crops, boxes."""

from __future__ import annotations

import numpy as np
import torch

from pipeline.datasets.class_tables import load_table
from pipeline.labelers import densepose, densepose_model
from sorn.parts import HEAD, LOWER_ARM, TORSO, UPPER_ARM, UPPER_LEG


def scores(**channels: float) -> torch.Tensor:
    """[25, 1, 1]: fine scores whose softmax has these probabilities, e.g. c1=0.5, and next to nothing elsewhere."""
    values = torch.full((25,), 1e-9)
    for name, value in channels.items():
        values[int(name[1:])] = value
    return values.log()[:, None, None]


def person(probability: float) -> torch.Tensor:
    """[2, 1, 1]: coarse scores."""
    return torch.tensor([1 - probability, probability]).log()[:, None, None]


def soft(coarse: torch.Tensor, fine: torch.Tensor, hands: str = "lower_arm") -> int:
    return int(densepose_model.soft_parts(coarse, fine, (1, 1), load_table("densepose24", hands)))


def hard(coarse: torch.Tensor, fine: torch.Tensor) -> int:
    return int(densepose_model.hard_parts(coarse, fine, (1, 1), load_table("densepose24", "lower_arm")))


def test_soft_adds_the_patches_of_a_class_and_hard_does_not() -> None:
    split = scores(c1=0.4, c15=0.3, c17=0.3)  # torso; both halves of the left upper arm
    assert soft(person(0.9), split) == UPPER_ARM and hard(person(0.9), split) == TORSO


def test_soft_weighs_parts_with_the_foreground() -> None:
    legs = scores(c7=0.6, c0=0.1, c23=0.3)
    # upper leg 0.6 P, background 0.1 P + 1 - P: equal at P = 2/3
    assert soft(person(0.68), legs) == UPPER_LEG and soft(person(0.65), legs) == 0
    assert hard(person(0.51), legs) == UPPER_LEG and hard(person(0.49), legs) == 0


def test_hard_follows_upstream_where_the_best_patch_is_none() -> None:
    assert hard(person(0.99), scores(c0=0.4, c23=0.3, c24=0.3)) == 0
    assert soft(person(0.99), scores(c0=0.4, c23=0.3, c24=0.3)) == HEAD


def test_hands_become_what_the_option_says() -> None:
    hand = scores(c3=0.5, c19=0.3, c1=0.2)  # hand, lower arm, torso
    assert soft(person(1 - 1e-6), hand) == LOWER_ARM
    assert soft(person(1 - 1e-6), hand, "background") == 0


def test_the_15_coarse_channels_of_legacy_models_say_only_where_a_person_is() -> None:
    coarse = torch.tensor([0.4, *[0.6 / 14] * 14]).log()[:, None, None]  # no coarse part is as likely as background
    assert soft(coarse, scores(c23=1.0)) == HEAD  # 0.6 > 0.4
    assert hard(coarse, scores(c23=1.0)) == 0


def test_scores_are_upsampled_to_the_box_before_the_choice() -> None:
    fine = torch.cat([scores(c23=1.0), scores(c1=1.0)], dim=1)  # head above torso
    coarse = person(1 - 1e-6).expand(2, 2, 1)
    for rule in (densepose_model.soft_parts, densepose_model.hard_parts):
        parts = rule(coarse, fine, (8, 3), load_table("densepose24", "lower_arm"))
        assert parts.dtype == torch.uint8 and parts.tolist() == [[HEAD] * 3] * 4 + [[TORSO] * 3] * 4


def test_the_network_sees_the_shortest_side_as_asked_and_no_padding() -> None:
    for size, expected in (
        ((128, 64), (512, 256)),
        ((64, 128), (256, 512)),
        ((200, 90), (576, 256)),  # 568.9
        ((1, 1), (256, 256)),
        ((1000, 1), (1024, 32)),
        ((8000, 1000), (1024, 128)),
    ):
        assert densepose.network_size(*size, 256) == expected


def test_a_crop_is_blue_green_red_and_lies_inside_its_margin() -> None:
    image = np.zeros((100, 50, 3), np.uint8)
    image[:, :] = (10, 20, 30)
    image[0] = 200
    one = densepose.crop(image, 64, 0.1)
    assert one.size == (100, 50) and one.pixels.shape == (3, 128, 64)
    assert one.pixels[:, 64, 32].tolist() == [30, 20, 10]
    assert one.pixels[:, 0, 0].tolist() == [200, 200, 200]  # the first row repeated
    scale = 64 / 60
    assert np.allclose(one.box, [5 * scale, 10 * 128 / 120, 55 * scale, 110 * 128 / 120])
    assert densepose.crop(image, 64, 0.0).box.tolist() == [0, 0, 64, 128]


def test_boxes_go_back_to_the_image_and_are_cut_off_as_upstream_does() -> None:
    frame = np.array([10, 20, 110, 220], np.float32)
    box = densepose.fractions(np.array([[5, 20, 60, 120.0]]), frame)
    assert np.allclose(box, [[-0.05, 0, 0.5, 0.5]])
    assert densepose.whole_pixels(np.array([0.119, 0.2, 0.5, 0.2]), (10, 100)) == (11, 2, 38, 1)


def test_what_lies_outside_the_image_is_cut_off() -> None:
    for left, top, expected in (
        (0, 0, [[1, 2, 0], [3, 4, 0], [0, 0, 0]]),
        (-1, 1, [[0, 0, 0], [2, 0, 0], [4, 0, 0]]),
        (2, 2, [[0, 0, 0], [0, 0, 0], [0, 0, 1]]),
        (-2, 0, [[0, 0, 0]] * 3),
        (0, 3, [[0, 0, 0]] * 3),
    ):
        mask = np.zeros((3, 3), np.uint8)
        densepose.paste(mask, np.array([[1, 2], [3, 4]], np.uint8), left, top)
        assert mask.tolist() == expected
