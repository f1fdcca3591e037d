"""SynPed on disk: independent of workers, resumable, careful with other people's files."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.datasets.synped import dataset
from pipeline.datasets.synped.cut import cut_box, find_cuts
from pipeline.datasets.synped.dataset import STATE, cut_files, files_of, write_dataset
from pipeline.datasets.synped.plan import RENDERER_VERSION, Size, make_plan
from pipeline.datasets.synped.sheet import contact_sheet
from pipeline.errors import UserError
from sorn.parts import COLOURS

FOLDER = Path(dataset.__file__).parent
TINY = Size(1, 2, 1, 1, 2, 1, 1, 2, 1, 1, 1, 1)


def digests(root):
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    root = tmp_path_factory.mktemp("synped") / "one"
    write_dataset(root, TINY, seed=4, workers=1)
    return root


def test_two_workers_write_the_same_bytes_as_one(rendered, tmp_path):
    write_dataset(tmp_path / "two", TINY, seed=4, workers=2)
    assert digests(tmp_path / "two") == digests(rendered)


def test_the_layout_is_the_one_promised(rendered):
    plan = make_plan(TINY, 4)
    expected = {
        STATE,
        *(f"joints/{split}.csv" for split in ("train", "val_query", "val_gallery", "query", "gallery", "labeler")),
    }
    for spec in plan.images:
        stem = f"{spec.split}/{spec.pid:04d}_c{spec.camid:02d}_{spec.index:06d}"
        expected |= {f"images/{stem}.jpg", f"masks/{stem}.png"}
    for cut in find_cuts(plan):
        stem = f"{cut.folder}/{cut.source.stem}"
        expected |= {f"images/{stem}.jpg", f"masks/{stem}.png"}
    assert set(digests(rendered)) == expected
    state = json.loads((rendered / STATE).read_text())
    assert state["complete"] is True
    assert (state["seed"], state["style"], state["renderer_version"]) == (4, "home", RENDERER_VERSION)


def test_masks_are_index_pictures_of_the_images_size(rendered):
    for path in sorted((rendered / "masks").rglob("*.png")):
        photograph = rendered / "images" / path.relative_to(rendered / "masks").with_suffix(".jpg")
        with Image.open(path) as mask, Image.open(photograph) as image:
            assert mask.mode == "P"
            assert mask.size == image.size
            assert mask.getpalette()[: COLOURS.size] == COLOURS.ravel().tolist()
            assert np.asarray(mask).max() < len(COLOURS)


def test_joints_are_one_line_per_picture(rendered):
    lines = (rendered / "joints" / "train.csv").read_text().splitlines()
    assert lines[0].split(",")[:4] == ["name", "nose_x", "nose_y", "nose_visible"]
    assert len(lines) == 3
    assert all(len(line.split(",")) == 1 + 17 * 3 for line in lines)


def test_only_what_is_missing_is_written_again(rendered):
    before = digests(rendered)
    times = {path: path.stat().st_mtime_ns for path in rendered.rglob("*.*") if path.suffix in (".jpg", ".png")}
    gone = sorted((rendered / "images").rglob("*.jpg"))[0]
    gone.unlink()
    write_dataset(rendered, TINY, seed=4, workers=1)
    assert digests(rendered) == before
    changed = {path for path, time in times.items() if path.stat().st_mtime_ns != time}
    assert changed == {gone}


def test_a_finished_folder_is_left_alone(rendered, monkeypatch):
    monkeypatch.setattr("pipeline.datasets.synped.dataset._render_all", lambda *args: pytest.fail("rendered again"))
    write_dataset(rendered, TINY, seed=4, workers=1)


def test_a_folder_of_before_gets_its_cut_pictures_without_rendering(rendered, tmp_path, monkeypatch):
    before, old = digests(rendered), tmp_path / "old"
    shutil.copytree(rendered, old)
    for folder in (old / kind / split / "cut" for kind in ("images", "masks") for split in ("query", "val_query")):
        shutil.rmtree(folder)
    assert digests(old) != before
    monkeypatch.setattr("pipeline.datasets.synped.dataset._render_all", lambda *args: pytest.fail("rendered again"))
    write_dataset(old, TINY, seed=4, workers=1)
    assert digests(old) == before


def test_cut_pictures_and_their_masks_show_one_part_of_the_whole_ones(rendered):
    cuts = find_cuts(make_plan(TINY, 4))
    assert {cut.folder for cut in cuts} == {"val_query/cut", "query/cut"}
    for cut in cuts:
        (image, mask), (whole, labels) = cut_files(rendered, cut), files_of(rendered, cut.source)
        with Image.open(mask) as one, Image.open(labels) as other:
            box = cut_box(4, cut.source.index, *other.size)
            assert np.array_equal(np.asarray(one), np.asarray(other.crop(box)))
            joints, before = (np.array(m.info["joints"].split(","), float).reshape(17, 3) for m in (one, other))
            assert np.allclose(joints[:, :2] + box[:2], before[:, :2], atol=0.11)
        with Image.open(image) as one, Image.open(whole) as other:
            difference = np.asarray(one.convert("RGB"), int) - np.asarray(other.convert("RGB").crop(box), int)
            assert np.abs(difference).mean() < 6, "the same pixels, compressed once more"


def test_another_style_is_rendered_and_told(tmp_path):
    alone = Size(0, 0, 0, 0, 0, 1, 1, 2, 0, 0, 0, 0)
    write_dataset(tmp_path / "abroad", alone, seed=4, workers=1, style="abroad")
    assert json.loads((tmp_path / "abroad" / STATE).read_text())["style"] == "abroad"
    images = tmp_path / "abroad" / "images"
    folders = {path.parent.relative_to(images).as_posix() for path in images.rglob("*.jpg")}
    assert folders == {"query", "gallery", "query/cut"}
    assert len((tmp_path / "abroad/joints/train.csv").read_text().splitlines()) == 1, "a header, for a split of nobody"
    before = digests(tmp_path / "abroad" / "images")
    write_dataset(tmp_path / "abroad", alone, seed=4, workers=1)
    after = digests(tmp_path / "abroad" / "images")
    assert before.keys() == after.keys() and all(before[name] != after[name] for name in before)


def test_another_seed_replaces_own_files_only(rendered, tmp_path, monkeypatch):
    root = tmp_path / "mine"
    (root / "images" / "train").mkdir(parents=True)
    (root / STATE).write_text(json.dumps({"seed": 3}))
    stale, foreign = root / "images" / "train" / "0001_c01_000000.jpg", root / "images" / "train" / "holiday.jpg"
    stale.write_bytes(b"old")
    foreign.write_bytes(b"mine")

    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("pipeline.datasets.synped.dataset._render_all", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_dataset(root, TINY, seed=4, workers=1)
    assert not stale.exists()
    assert foreign.read_bytes() == b"mine"
    assert json.loads((root / STATE).read_text())["complete"] is False


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(UserError, match="not a folder of SynPed"):
        write_dataset(tmp_path, TINY, seed=0, workers=1)
    with pytest.raises(UserError, match="Known: demo, small, full, large, test"):
        write_dataset(tmp_path, "huge", seed=0, workers=1)
    with pytest.raises(UserError, match=r"unknown style of SynPed 'mars'\. Known: home, street, abroad"):
        write_dataset(tmp_path, TINY, seed=0, workers=1, style="mars")


def test_a_disk_that_takes_no_more_is_said_in_one_sentence(tmp_path, monkeypatch):
    def full(*args):
        raise OSError(28, "No space left on device", str(tmp_path / "images" / "x.jpg"))

    monkeypatch.setattr("pipeline.datasets.synped.dataset._render_all", full)
    with pytest.raises(UserError, match=r"x\.jpg cannot be written: No space left on device\. Make room"):
        write_dataset(tmp_path / "new", TINY, seed=0, workers=1)


def test_the_contact_sheet_shows_pictures_over_masks(rendered, tmp_path):
    contact_sheet(rendered, tmp_path / "sheet.png", ("train", "query"), columns=3)
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (3 * 99 - 3, 4 * 259 - 3)
    with pytest.raises(UserError, match="no pictures of train"):
        contact_sheet(tmp_path, tmp_path / "none.png")


def test_every_module_with_kernels_is_compiled_by_one_worker():
    with_kernels = {path.stem for path in FOLDER.glob("*.py") if "import compiled" in path.read_text(encoding="utf-8")}
    assert sorted(with_kernels) == sorted(dataset.KERNELS)
