"""Names of other tools' files: patterns, and names that two images share."""

from __future__ import annotations

import re
import shlex

import pytest
from figures import joints, person
from limb_shop import OUTLINE, Shop, is_whole

from pipeline.errors import UserError
from sorn.sample import Status


@pytest.mark.parametrize("what", ["joints", "silhouettes"])
def test_files_with_other_names_are_found_with_the_pattern_of_the_message(shop: Shop, what: str) -> None:
    content = {"joints": [person()], "silhouettes": OUTLINE}[what]
    end = {"joints": ".pose.v2.json", "silhouettes": "-sam.png"}[what]
    folder = str(shop.root / "new")
    shop.write(f"new/images/0001/a{end}", content)
    with pytest.raises(
        UserError, match=rf"none of 1 images has a file of {what}.*but a{re.escape(end)} is there"
    ) as error:
        shop.label(**{what: folder})
    words = shlex.split(error.value.remedy.partition(": ")[2])
    assert words == ["--set", f"masks.options.{what}_pattern={{path}}{end}"]
    assert is_whole(shop.label(**{what: folder, f"{what}_pattern": f"{{path}}{end}"}))


def test_a_name_that_two_images_share_is_refused(shop: Shop) -> None:
    shop.records.append(shop.add("0002/a.jpg"))
    shop.write("joints.json", [person("a.jpg")])
    with pytest.raises(
        UserError, match=r"entry 0 is of the image 'a\.jpg', which may be train/0001/a\.jpg or train/0002"
    ):
        shop.label()
    shop.write("joints.json", [person("0001/a.jpg"), person("0002/a.jpg")])
    assert shop.label().status == Status.OK


def test_a_file_that_two_images_share_is_refused(shop: Shop) -> None:
    shop.records.append(shop.add("0002/a.jpg"))
    shop.write("joints.json", [person("0001/a.jpg"), person("0002/a.jpg")])
    shop.write("flat/a.png", OUTLINE)
    with pytest.raises(
        UserError, match=r"flat/a\.png has the name of two images, train/0001/a\.jpg and train/0002/a\.jpg"
    ):
        shop.label(silhouettes=str(shop.root / "flat"))


def test_images_of_another_split_are_not_taken_for_these(shop: Shop) -> None:
    shop.write("joints.json", [person("images/0001/a.jpg"), person("query/0009/a.jpg", joints(5))])
    assert is_whole(shop.label())
