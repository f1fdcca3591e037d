"""The eight part classes: names, ids, colours, collapse to five and two.

This is the only place that defines them. Paper, Section III-D: background, head, torso, upper arm, lower arm, upper
leg, lower leg, foot. Every class is side-symmetric, so a horizontal flip of a mask needs no change of labels.
"""

from __future__ import annotations

import numpy as np

CLASSES = ("background", "head", "torso", "upper arm", "lower arm", "upper leg", "lower leg", "foot")
BACKGROUND, HEAD, TORSO, UPPER_ARM, LOWER_ARM, UPPER_LEG, LOWER_LEG, FOOT = range(len(CLASSES))

# One colour per class for overlays and palettes, uint8 RGB, distinct for colour-blind readers too.
COLOURS = np.array(
    [
        (0, 0, 0),
        (240, 228, 66),
        (0, 114, 178),
        (230, 159, 0),
        (213, 94, 0),
        (0, 158, 115),
        (86, 180, 233),
        (204, 121, 167),
    ],
    dtype=np.uint8,
)

# K -> the class names of that labelling. The paper's Table III compares K = 2, 5 and 8; background keeps id 0.
LABELLINGS: dict[int, tuple[str, ...]] = {
    8: CLASSES,
    5: ("background", "head", "torso", "arm", "leg"),
    2: ("background", "foreground"),
}

# K -> the groups of body parts that are compared with each other: name -> ids among the K classes. Parts that are small
# or hard to tell apart in a picture of a person are one group.
PART_GROUPS: dict[int, dict[str, tuple[int, ...]]] = {
    8: {
        "head": (HEAD,),
        "torso": (TORSO,),
        "arms": (UPPER_ARM, LOWER_ARM),
        "upper legs": (UPPER_LEG,),
        "lower legs and feet": (LOWER_LEG, FOOT),
    },
    5: {"head": (1,), "torso": (2,), "arms": (3,), "legs": (4,)},
    2: {"body": (1,)},
}

PART_TAU = 0.005
# A part group is visible when at least this share of the picture's pixels belongs to it: in training, and by default in
# matching. A head of a whole person fills some 2 % of a picture.

# K -> lookup table, uint8 [8]: id among the eight classes -> id among the K classes.
COLLAPSE: dict[int, np.ndarray] = {
    8: np.arange(len(CLASSES), dtype=np.uint8),
    5: np.array([0, 1, 2, 3, 3, 4, 4, 4], dtype=np.uint8),
    2: np.array([0, 1, 1, 1, 1, 1, 1, 1], dtype=np.uint8),
}


def group_names(count: int) -> tuple[str, ...]:
    """Names of the part groups where there are `count`; none for 0."""
    return next((tuple(groups) for groups in PART_GROUPS.values() if len(groups) == count), ())
