"""The part classes and their collapse."""

import numpy as np

from sorn.parts import CLASSES, COLLAPSE, COLOURS, LABELLINGS


def test_the_eight_classes_of_the_paper():
    assert CLASSES == ("background", "head", "torso", "upper arm", "lower arm", "upper leg", "lower leg", "foot")
    assert COLOURS.shape == (8, 3) and len(np.unique(COLOURS, axis=0)) == 8


def test_collapse_to_five_and_two():
    five = dict(zip(CLASSES, (LABELLINGS[5][i] for i in COLLAPSE[5]), strict=True))
    assert five == {
        "background": "background",
        "head": "head",
        "torso": "torso",
        "upper arm": "arm",
        "lower arm": "arm",
        "upper leg": "leg",
        "lower leg": "leg",
        "foot": "leg",
    }
    assert COLLAPSE[2].tolist() == [0] + [1] * 7
    assert COLLAPSE[8].tolist() == list(range(8))
