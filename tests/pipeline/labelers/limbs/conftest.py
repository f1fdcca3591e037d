"""The shop of the labeler `limbs`: one image, its silhouette and its joints."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from figures import person
from limb_shop import OUTLINE, Shop


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = Shop(tmp_path)
    shop.write("joints.json", [person("a.jpg")])
    shop.write("masks/images/0001/a.png", OUTLINE.astype(np.uint8) * 255)
    return shop
