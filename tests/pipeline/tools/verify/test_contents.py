"""`sorn verify` where the bytes are those that were recorded, but the files do not belong together."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from click.testing import CliRunner

from pipeline.cli.app import main
from pipeline.features.int8.record import Int8Record, write_record
from pipeline.io import checkpoints, hdf5
from pipeline.io.files import digest_file
from pipeline.runs import stamp
from pipeline.runs.layout import Paths
from pipeline.stages import labeler

SHARD = "masks/train/shard-00001.h5"


def swap(run, one: str, other: str) -> None:
    first, second = run.file(one), run.file(other)
    contents = first.read_bytes(), second.read_bytes()
    run.replace(first, contents[1])
    run.replace(second, contents[0])


def test_swapped_files_are_found_even_when_their_stamps_agree(run):
    swap(run, "masks/query/shard-00000.h5", "masks/gallery/shard-00000.h5")
    assert run.broken().count("was written with") == 2  # 3 and 4 images
    for split in ("query", "gallery"):
        run.restamp(run.file(f"masks/{split}/shard-00000.h5"))
    text = run.broken()
    for split in ("query", "gallery"):
        assert f"shard {run.file(f'masks/{split}/shard-00000.h5')} is not the one that index.json names" in text


@pytest.mark.parametrize("name", [SHARD, "eval/features.h5"])
def test_a_file_that_another_program_holds_open_is_named_and_not_to_be_deleted(run, name):
    path = run.file(name)
    before = path.read_bytes()
    run.replace(path, before)  # a copy of its own
    leave_open = "import h5py, os, sys\nfile = h5py.File(sys.argv[1], 'r+')\nfile.flush()\nos._exit(9)"  # as if killed
    subprocess.run([sys.executable, "-c", leave_open, str(path)], check=False)
    text = run.broken(f"{path} is open for writing in another program", f"run: h5clear -s {path}")
    assert "Delete" not in text
    stage = name.partition("/")[0]
    status = run.call("status", "mine-import", "--runs", str(run.runs)).output
    assert f"{path} is open for writing in another program" in status and f"{stage}" in status
    path.write_bytes(before)  # as h5clear does
    assert run.verify().exit_code == 0


def test_the_weights_of_another_training_are_found(run):
    swap(run, "train/model.safetensors", "experiments/sorn-seed0/train/model.safetensors")
    for name in ("train", "experiments/sorn-seed0/train"):
        run.restamp(run.file(f"{name}/model.safetensors"))
    text = run.broken("s: 2 broken")
    assert text.count("is of another training than its stamp") == 2
    assert text.count("is not the checkpoint that its stamp provides to later stages") == 2


def test_content_that_does_not_match_its_own_digest_is_found_behind_good_file_digests(run):
    path = run.file(SHARD)
    run.replace(path, path.read_bytes())  # a copy of its own
    with h5py.File(path, "r+") as file:
        file["mask"][0, 0, 0] = (file["mask"][0, 0, 0] + 1) % 8
    run.restamp(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()

    def of_that_file(index):
        next(entry for entry in index["shards"] if entry["file"] == "train/shard-00001.h5")["sha256"] = digest

    run.rewrite("masks/index.json", of_that_file)
    run.broken(f"shard {path} is damaged: its content does not match its own digest", f"Delete {path}, then run")


CHANGES = [
    ("data/summary.json", lambda t: t["splits"]["query"].update(images=9), "counts 9 images of query, the records 3"),
    ("data/summary.json", lambda t: t["splits"].pop("query"), "counts 0 images of query, the records 3"),
    ("data/summary.json", lambda t: t.update(splits=3), "splits: expected a table, found 3"),
    ("data/summary.json", lambda t: t.update(content="0" * 64), "is of other images than records.csv"),
    ("masks/index.json", lambda t: t["pids"].append(99), "gives other training persons than its shards"),
    ("masks/index.json", lambda t: t["splits"]["query"].update(count=4), "another count, digest or status of split qu"),
    ("masks/index.json", lambda t: t["splits"]["train"]["status"].update(ok=1), "digest or status of split train"),
    ("masks/index.json", lambda t: t["splits"]["train"].update(foreground_share=0.5), "another share of foreground"),
    ("masks/index.json", lambda t: t["splits"]["query"].update(digest="0" * 64), "than its stamp provides to later"),
    ("masks/index.json", lambda t: t.update(shards=t["shards"][:2]), "has no count or no shards of split query"),
    ("masks/index.json", lambda t: t["shards"][0].update(file="../../x.h5"), "../../x.h5, which is no output"),
    ("masks/index.json", lambda t: t.update(fingerprint="f"), "is of another run of the masks stage than its stamp"),
    ("masks/index.json", lambda t: t.update(splits=[]), "index.json is not an index of shards"),
    ("masks/labels.json", lambda t: t.update(fingerprint="f"), "is of another run of the masks stage than index.json"),
    ("masks/labels.json", lambda t: t["splits"]["train"].update(images=7), "counts other images of split train"),
    ("train/config.json", lambda t: t["pids"].pop(), "names 3 persons for 4 identities"),
    ("train/config.json", lambda t: t["pids"].__setitem__(0, 77), "is of other persons or another size of images than"),
    ("train/config.json", lambda t: t.update(image_size=[32, 16]), "is of other persons or another size of images"),
    ("train/config.json", lambda t: t.pop("model"), "does not describe a trained network"),
    (
        "eval/report.json",
        lambda t: t["provenance"].update(checkpoint_sha256="0"),
        "another checkpoint than features.h5",
    ),
    ("eval/report.json", lambda t: t["provenance"].update(features={}), "is of other features than features.h5"),
    ("eval/report.json", lambda t: t["provenance"]["config"].update(tau=0.9), "with other options than its stamp"),
    ("eval/report.json", lambda t: t["dataset"].update(query_images=4), "counts 4 query images, features.h5 holds 3"),
    ("eval/report.json", lambda t: t.pop("provenance"), "report.json is damaged: ValueError: provenance is missing"),
]


@pytest.mark.parametrize(("name", "change", "wrong"), CHANGES)
def test_a_file_that_does_not_fit_the_others_is_found_though_its_digest_is_right(run, name, change, wrong):
    path = run.rewrite(name, change)
    run.broken(wrong, f"Delete {path}, then run: {run.command(name.split('/')[0])}")


def test_records_of_other_images_are_found(run):
    path = run.file("data/records.csv")
    run.replace(path, path.read_bytes().replace(b",6,2,gallery", b",5,2,gallery"))
    run.restamp(path)
    run.broken(f"{path} does not hold the images that", "1 broken")


def test_queries_may_name_persons_as_the_list_does_or_by_number(run):
    run.rewrite("data/summary.json", lambda told: told.update(pid_labels={"4": "zoe", "5": "005"}))
    path = run.file("eval/queries.csv")
    assert run.verify().exit_code == 0, "as 0.1 wrote it"
    run.replace(path, re.sub(rb"(?m)(png),4,", rb"\1,zoe,", path.read_bytes()))
    run.restamp(path)
    assert b",zoe," in path.read_bytes() and run.verify().exit_code == 0
    run.replace(path, path.read_bytes().replace(b",zoe,", b",yann,"))
    run.restamp(path)
    assert "names queries or persons that features.h5 does not hold" in run.broken()


def test_a_report_and_queries_of_two_evaluations_are_found(run):
    run.rewrite("eval/report.json", lambda report: report["metrics"]["sorn"].update(mAP=0.123))
    path = run.file("eval/queries.csv")
    run.broken(f"{path} and report.json are of two different evaluations", f"Delete {path}, then run:", "1 broken")


def test_features_and_queries_of_other_images_are_found(run):
    path = run.file("eval/features.h5")
    run.replace(path, path.read_bytes())
    with h5py.File(path, "r+") as file:
        file["query/pid"][:] = np.roll(file["query/pid"][:], 1)
        hdf5.set_attributes(file, {"checkpoint_sha256": "0" * 64})
    run.restamp(path)
    run.broken(
        f"{path}: query is of other images or ids than the shards of query",
        f"{path} was extracted with another checkpoint than the one this stage was made from",
        f"{run.file('eval/queries.csv')} names queries or persons that features.h5 does not hold",
    )


def test_a_labeler_is_held_against_what_it_says_of_itself(tmp_path):
    paths = Paths("synped_demo", "danet", tmp_path / "data", tmp_path)
    folder, version = paths.folder("labeler"), labeler.VERSION
    said = {"network": "danet", "fingerprint": stamp.fingerprint("labeler", version, {}, {})}

    def write(about: dict[str, str]) -> str:
        checkpoints.save_weights(paths.labeler_checkpoint, {"bias": torch.zeros(3)}, said)
        paths.labeler_config.write_text(json.dumps(about))
        provided = {"checkpoint": digest_file(paths.labeler_checkpoint)}
        files = [paths.labeler_checkpoint, paths.labeler_config]
        stamp.write(folder, "labeler", version, {}, {}, files, provided)
        return CliRunner().invoke(main, ["verify", "--labeler", "danet", "--runs", str(tmp_path)]).output

    assert f"whole       {folder}\n" in write(said)
    text = write(said | {"network": "sorn"})
    assert f"{paths.labeler_config} differs from the metadata of danet.safetensors" in text
    assert f"Delete {paths.labeler_config}, then run: make labeler DATASET=synped_demo RUNS={tmp_path}\n" in text
    said["fingerprint"] = "another"
    assert f"{paths.labeler_checkpoint} is of another training than its stamp" in write(said)


def test_the_int8_network_of_a_training_is_read_too(run):
    folder = run.file("train/int8")
    folder.mkdir()
    names = ("network.xml", "network.bin", "probe.npz")
    for name in names:
        (folder / name).write_text(name)
    files = {name: digest_file(folder / name) for name in names}
    packages = {"openvino": "1"}
    record = Int8Record(1, digest_file(run.file("train/model.safetensors")), (64, 32), 64, "mine", packages, files)
    write_record(folder, record)
    assert run.verify().exit_code == 0
    path = run.flip("train/int8/network.bin")
    again = f"Delete {folder / 'int8.json'}: the next command makes the network again"
    run.broken(f"{path} is missing or was changed after it was written", again)
    (folder / "probe.npz").unlink()
    run.broken(f"{folder / 'probe.npz'} is missing")
    (folder / "int8.json").write_text("{}")
    run.broken(f"{folder / 'int8.json'} does not describe an int8 network: schema_version is missing")


def write_tables(run) -> Path:
    """tables.json of the experiment, as `sorn tables` writes it, as far as it says what was measured."""
    report = json.loads(run.file("experiments/sorn-seed0/eval/report.json").read_text())
    figures = {name: {"values": {"0": report["metrics"]["sorn"][name]}} for name in ("rank-1", "mAP")}
    folder = run.file("tables")
    folder.mkdir()
    said = {"checkpoint_sha256": report["provenance"]["checkpoint_sha256"], "stamps": report["provenance"]["stamps"]}
    table = {
        "jobs": {"sorn": {"seeds": {"0": said}}},
        "rows": [{"job": "sorn", "name": "SORN", "report": "sorn", "figures": {**figures, "rank-5": None}}],
        "command": "make tables DATASET=mine.csv LABELER=import CONFIG=demo SEEDS=1",
    }
    (folder / "tables.json").write_text(json.dumps(table))
    for name in ("tables.md", "tables.html"):
        (folder / name).write_text("shown")
    attempts = "started,experiment,stage,seconds,exit_code,said\n2026-01-01T00:00:00+00:00,sorn-seed0,train,1.0,0,\n"
    (folder / "attempts.csv").write_text(attempts)
    return folder


def test_tables_are_held_against_the_reports_of_their_experiments(run):
    folder = write_tables(run)
    result = run.verify()
    assert result.exit_code == 0 and f"whole       {folder}\n" in result.output, result.output
    again = "make tables DATASET=mine.csv LABELER=import CONFIG=demo SEEDS=1"
    path = run.flip("experiments/sorn-seed0/train/config.json")
    run.broken(f"Delete {path}, then run: {again}\n")  # the tables know the options of their experiments
    run.flip("experiments/sorn-seed0/train/config.json")

    good = (folder / "tables.json").read_text()
    table = json.loads(good)
    table["rows"][0]["figures"]["mAP"]["values"]["0"] += 0.01
    (folder / "tables.json").write_text(json.dumps(table))
    run.broken("mAP of 'SORN', seed 0, is not the one of its report", f"then run: {again}")
    (folder / "tables.json").write_text(good)
    shutil.rmtree(run.file("experiments/sorn-seed0"))
    run.broken("tables.json shows an evaluation of sorn-seed0 that is not there")
    (folder / "attempts.csv").write_text("started,experiment\n")
    (folder / "tables.md").unlink()
    run.broken("attempts.csv is cut off or has other columns", "tables.md is missing")


def test_an_exported_network_is_held_against_its_description_and_checkpoint(run):
    folder, checkpoint = run.file("export"), run.file("train/model.safetensors").read_bytes()
    folder.mkdir()
    (folder / "sorn.onnx").write_bytes(b"network")
    about = {
        "sha256": hashlib.sha256(b"network").hexdigest(),
        "checkpoint_sha256": hashlib.sha256(checkpoint).hexdigest(),
    }
    (folder / "sorn.onnx.json").write_text(json.dumps(about))
    again = f"sorn export mine-import --runs {run.runs} --format onnx"
    assert run.verify().exit_code == 0
    (folder / "sorn.onnx.json").write_text(json.dumps(about | {"checkpoint_sha256": "0" * 64}))
    run.broken(f"stale       {folder}", "sorn.onnx is of another checkpoint", f"-> Run: {again}\n")
    (folder / "sorn.onnx").write_bytes(b"netwark")
    run.broken("sorn.onnx is not the network that sorn.onnx.json describes")
    (folder / "sorn.onnx.json").unlink()
    run.broken("sorn.onnx.json is damaged: FileNotFoundError")


@pytest.mark.parametrize(
    ("network", "names", "words"),
    [
        ("sorn-tracker.onnx", [], "--tracker --format onnx"),
        ("sorn-tracker_openvino_model", ["sorn-tracker.bin", "sorn-tracker.xml"], "--tracker --format openvino"),
    ],
)
def test_a_network_for_trackers_is_held_against_its_description(run, network, names, words):
    path, checkpoint = run.file("export") / network, run.file("train/model.safetensors").read_bytes()
    files = [path / name for name in names] or [path]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(file.name.encode())
    digests = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    about = {
        "sha256": digests if names else digests[network],
        "checkpoint_sha256": hashlib.sha256(checkpoint).hexdigest(),
        "options": ["--vector", "global", "--tau", "0.3"],
    }
    said = path.with_name(f"{network}.json")
    said.write_text(json.dumps(about))
    again = f"sorn export mine-import --runs {run.runs} {words} --vector global --tau 0.3\n"
    assert run.verify().exit_code == 0

    said.write_text(json.dumps(about | {"checkpoint_sha256": "0" * 64}))
    text = run.broken(f"stale       {run.file('export')}", f"{network} is of another checkpoint", f"-> Run: {again}")
    assert "CONFIG" not in text, "the command has all its options"
    said.write_text(json.dumps(about))
    files[0].write_bytes(b"changed")
    run.broken(f"{path} is not the network that {said.name} describes", f"Delete {path}, then run: {again}")
    files[0].unlink()
    run.broken(f"{files[0]} is missing", again)
    said.unlink()
    if names:
        run.broken(f"{said.name} is damaged: FileNotFoundError", words)
