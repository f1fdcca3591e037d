"""Shipped class tables: labels of other segmenters, by id, and their meanings.

No mapping can correct these limits:
- Clothes name no limb. Those of the upper body become torso, sleeves included; trousers and skirts become upper leg
down to the hem; jumpsuits and dresses become torso. Labels of a whole arm or leg mark bare skin, and become lower arm
and lower leg, where skin is bare most often. Upper arms therefore never occur with the tables of clothes but Sapiens'.
- Pascal-Person-Part has no feet: they belong to the lower legs.
- Bags and what hands hold are no body part; scarves and belts count as torso, socks as lower leg, gloves as hands.
Sapiens' apparel is what is worn and is neither garment, sock nor shoe, from hats to belts: it counts as torso.
"""

from __future__ import annotations

from sorn.parts import CLASSES
from sorn.sample import JOINTS

HAND = "hand"  # not one of the eight classes: the option `hands` gives its class

# Our class or HAND -> the labels, of either side and of all tables, that mean it.
_MEANINGS = {
    "background": "background, bag, backpack, ball, bats, bottle, carrybag, cases, umbrella, wallet, other accessory",
    "head": "head, hat, helmet, headwear, hair, face, face and neck, sunglasses, glasses, eyeglass, eyewear, "
    "lower lip, upper lip, lower teeth, upper teeth, tongue",
    "torso": "torso, torso skin, upper clothes, upper clothing, top, dress, coat, jumpsuit, scarf, belt, tie, jewelry, "
    "apparel, protector, bikini, jacket, T-shirt, polo shirt, sweater, singlet, robe, other full-body clothes, "
    "other upper-body clothes",
    "upper arm": "upper arm, upper arms",
    "lower arm": "lower arm, lower arms, arm, arms, watch, wristband",
    HAND: "hand, hands, glove",
    "upper leg": "upper leg, upper legs, pants, shorts, skirt, lower clothing, other lower-body clothes",
    "lower leg": "lower leg, lower legs, leg, legs, sock, socks, stockings",
    "foot": "foot, feet, shoe, boot, high heel, sandal",
}
_CLASS_OF = {label: ours for ours, labels in _MEANINGS.items() for label in labels.split(", ")}


def _labels(names: str) -> tuple[tuple[str, str], ...]:
    """Labels in the order of their ids, each with its class. names: divided by commas."""
    listed = [name.strip() for name in names.split(",")]
    return tuple((name, _CLASS_OF[name.removeprefix("left ").removeprefix("right ")]) for name in listed)


# Name of a table -> (its label, our class) by label value.
TABLES: dict[str, tuple[tuple[str, str], ...]] = {
    "sorn8": tuple((name, name) for name in CLASSES),
    # Look into Person, 20 labels: GoGoDuck912/Self-Correction-Human-Parsing, utils/dataset_settings.py.
    "lip20": _labels(
        "background, hat, hair, glove, sunglasses, upper clothes, dress, coat, socks, pants, jumpsuit, scarf, skirt, "
        "face, left arm, right arm, left leg, right leg, left shoe, right shoe"
    ),
    # ATR, 18 labels: the same file.
    "atr18": _labels(
        "background, hat, hair, sunglasses, upper clothes, skirt, pants, dress, belt, left shoe, right shoe, face, "
        "left leg, right leg, left arm, right arm, bag, scarf"
    ),
    # Crowd Instance-level Human Parsing, 20 labels; 10 is skin where LIP has jumpsuits. Engineering-Course/CIHP_PGN,
    # evaluation/test_inst_part_ap.py.
    "cihp20": _labels(
        "background, hat, hair, glove, sunglasses, upper clothes, dress, coat, socks, pants, torso skin, scarf, skirt, "
        "face, left arm, right arm, left leg, right leg, left shoe, right shoe"
    ),
    # Multi-Human Parsing 2.0, 59 labels: ZhaoJ9014/Multi-Human-Parsing, README.md.
    "mhp59": _labels(
        "background, hat, helmet, face, hair, left arm, right arm, left hand, right hand, protector, bikini, jacket, "
        "T-shirt, polo shirt, sweater, singlet, torso skin, pants, shorts, skirt, stockings, socks, left boot, "
        "right boot, left shoe, right shoe, left high heel, right high heel, left sandal, right sandal, left leg, "
        "right leg, left foot, right foot, coat, dress, robe, jumpsuit, other full-body clothes, headwear, backpack, "
        "ball, bats, belt, bottle, carrybag, cases, sunglasses, eyewear, glove, scarf, umbrella, wallet, watch, "
        "wristband, tie, other accessory, other upper-body clothes, other lower-body clothes"
    ),
    # FASHN Human Parser, 18 labels: README of fashn-human-parser 0.1.0 on PyPI.
    "fashn18": _labels(
        "background, face, hair, top, dress, skirt, pants, belt, bag, hat, scarf, glasses, arms, hands, legs, feet, "
        "torso, jewelry"
    ),
    # Sapiens, 28 labels: facebookresearch/sapiens, docs/SEG_README.md.
    "sapiens28": _labels(
        "background, apparel, face and neck, hair, left foot, left hand, left lower arm, left lower leg, left shoe, "
        "left sock, left upper arm, left upper leg, lower clothing, right foot, right hand, right lower arm, "
        "right lower leg, right shoe, right sock, right upper arm, right upper leg, torso, upper clothing, lower lip, "
        "upper lip, lower teeth, upper teeth, tongue"
    ),
    # Sapiens2, 29 labels: 2 is new, and every id from there on is one higher. facebookresearch/sapiens2, docs/SEG.md.
    "sapiens29": _labels(
        "background, apparel, eyeglass, face and neck, hair, left foot, left hand, left lower arm, left lower leg, "
        "left shoe, left sock, left upper arm, left upper leg, lower clothing, right foot, right hand, "
        "right lower arm, right lower leg, right shoe, right sock, right upper arm, right upper leg, torso, "
        "upper clothing, lower lip, upper lip, lower teeth, upper teeth, tongue"
    ),
    "pascal_person_part7": _labels("background, head, torso, upper arms, lower arms, upper legs, lower legs"),
    # DensePose's fine segmentation, I = 0..24.
    "densepose24": _labels(
        "background, torso, torso, right hand, left hand, left foot, right foot"
        + ", upper leg" * 4
        + ", lower leg" * 4
        + ", upper arm" * 4
        + ", lower arm" * 4
        + ", head, head"
    ),
    # DensePose's coarse segmentation, S = 0..14.
    "densepose15": _labels(
        "background, torso, right hand, left hand, left foot, right foot, right upper leg, left upper leg, "
        "right lower leg, left lower leg, left upper arm, right upper arm, left lower arm, right lower arm, head"
    ),
}

# Ends of OpenPifPaf's connections, in its order: the skeleton of COCO's persons, and COCO's joints.
_CONNECTIONS = (
    ("left ankle", "left knee", "lower leg"),
    ("left knee", "left hip", "upper leg"),
    ("right ankle", "right knee", "lower leg"),
    ("right knee", "right hip", "upper leg"),
    ("left hip", "right hip", "torso"),
    ("left shoulder", "left hip", "torso"),
    ("right shoulder", "right hip", "torso"),
    ("left shoulder", "right shoulder", "torso"),
    ("left shoulder", "left elbow", "upper arm"),
    ("right shoulder", "right elbow", "upper arm"),
    ("left elbow", "left wrist", "lower arm"),
    ("right elbow", "right wrist", "lower arm"),
    ("left eye", "right eye", "head"),
    ("nose", "left eye", "head"),
    ("nose", "right eye", "head"),
    ("left eye", "left ear", "head"),
    ("right eye", "right ear", "head"),
    ("left ear", "left shoulder", "head"),
    ("right ear", "right shoulder", "head"),
)
_JOINTS = {
    "shoulder": "upper arm",
    "elbow": "upper arm",
    "wrist": "lower arm",
    "hip": "torso",
    "knee": "upper leg",
    "ankle": "foot",
}

# Name of a table -> (its layer, our class) by layer, for files of one score per layer and pixel.
LAYERS: dict[str, tuple[tuple[str, str], ...]] = {
    # BPBreID's part labels: 17 joints and 19 connections, as VlSomers/bpbreid groups them into eleven and into eight
    # parts (torchreid/data/masks_transforms/pifpaf_mask_transform.py): heads to the shoulders, feet at the ankles.
    "pifpaf36": (
        *((joint.replace("_", " "), _JOINTS.get(joint.partition("_")[2], "head")) for joint in JOINTS),
        *((f"{start} to {end}", ours) for start, end, ours in _CONNECTIONS),
    ),
}
