"""Searches in banks: the same answers from every bank, and none from features that do not fit."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image
from searches import changed, run

from pipeline.errors import UserError
from pipeline.features import store
from pipeline.io import hdf5
from pipeline.search.searcher import Searcher
from sorn.features import FeatureBank


def test_a_bank_says_whether_features_are_averaged_with_those_of_mirror_images(tmp_path, folder, model, kept):
    with pytest.raises(
        UserError, match=r"without those of mirror images, which --flip asks for\. Leave --flip out, or"
    ):
        Searcher(model, kept, device="cpu", flip=True)
    bank = tmp_path / "flipped.h5"
    run("embed", folder, "--model", model, "--out", bank, "--precision", "fp32", "--flip")
    picture = Image.open(folder / "<b>" / "05.png").transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    (best,) = Searcher(model, bank, device="cpu").search(picture, top=1)
    assert best.name == "<b>/05.png" and best.similarity == pytest.approx(1, abs=1e-6)
    (plain,) = Searcher(model, kept, device="cpu").search(picture, top=1)
    assert plain.similarity < best.similarity


@pytest.mark.parametrize(
    ("option", "what"),
    [("adapt_norms", "norms that were adapted to its gallery"), ("place", "pictures that were put where the parts in")],
)
def test_features_that_no_query_can_have_are_refused(tmp_path, model, kept, option, what):
    bank, attrs = store.read_bank(kept)
    attrs["config"] = json.dumps(json.loads(attrs["config"]) | {option: True})
    store.write_bank(tmp_path / "other.h5", bank, attrs)
    with pytest.raises(UserError, match=rf"holds features of {what}.* \(eval\.{option}\)\. Evaluate without"):
        Searcher(model, tmp_path / "other.h5", device="cpu")


def test_a_gallery_whose_queries_have_two_views_is_as_it_is(tmp_path, folder, model, kept):
    bank, attrs = store.read_bank(kept)
    attrs["config"] = json.dumps(json.loads(attrs["config"]) | {"place": "either"})
    query = bank.take(np.arange(2))
    store.write_banks(
        tmp_path / "other.h5", query.with_second(np.array([1]), query.take(np.array([0])).features), bank, attrs
    )
    (best,) = Searcher(model, tmp_path / "other.h5", device="cpu").search(folder / "<b>" / "02.png", top=1)
    assert best.similarity > 0.99


def test_the_gallery_of_an_evaluation_is_a_gallery(tmp_path, folder, model, kept):
    bank, attrs = store.read_bank(kept)
    renamed = dataclasses.replace(bank, name=np.array([f"gallery/{i}" for i in range(30)]))
    evaluation = {key: attrs[key] for key in ("checkpoint_sha256", "config", "fingerprint")}
    features = tmp_path / "runs" / "mine-none" / "eval" / "features.h5"
    store.write_banks(features, renamed.take(np.arange(2)), renamed, evaluation)
    records = tmp_path / "runs" / "mine" / "data" / "records.csv"
    records.parent.mkdir(parents=True)
    lines = [f"gallery/{i},/nowhere/{i}.png,1,1,gallery,1,1,x,1,1" for i in range(30)]
    records.write_text("name,path,pid,camid,split,bytes,mtime_ns,sha256,width,height\n" + "\n".join(lines) + "\n")
    hits = Searcher(model, features, device="cpu").search(folder / "<b>" / "02.png", top=1)
    assert hits[0].similarity > 0.99 and str(hits[0].path) == hits[0].name.replace("gallery", "/nowhere") + ".png"
    text = run("embed", folder, "--model", model, "--out", features, code=1)
    assert "is the feature bank of an evaluation; it is not replaced" in text


def test_the_second_search_in_a_folder_embeds_nothing(tmp_path, folder, model):
    words = ["search", "--model", model, "--gallery", folder, "--query", folder / "twin.png", "--out", tmp_path]
    first = run(*words, "--top", 2)
    assert "left out: 1 other file: readme.txt" in first and "already" not in first
    second = run(*words, "--top", 2)
    assert "already" in second and "left out: 1 other file: readme.txt" in second
    assert re.search(r"^   1   [01]\.\d{4}  [V-]{3}  <b>/07.png$", second, re.MULTILINE)


def test_a_search_without_cache_keeps_no_features(tmp_path, folder, model):
    words = ["search", "--model", model, "--gallery", folder, "--query", folder / "twin.png", "--out", tmp_path]
    first = run(*words, "--no-cache")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["search.html", "search.json"]
    assert re.findall(r"^ +\d.*$", first, re.MULTILINE) == re.findall(r"^ +\d.*$", run(*words), re.MULTILINE)
    assert (tmp_path / "gallery.h5").exists()


def test_a_bank_of_another_network_is_refused(tmp_path, folder, model, kept, make_training):
    with pytest.raises(UserError, match=r"bank.h5 holds features of another checkpoint than .*model.safetensors"):
        Searcher(make_training(tmp_path / "other", seed=1), kept, device="cpu")
    for change, words in (
        ({"config": '{"model": {"parts": 3, "feature": "before_bn"}, "precision": "fp32"}'}, "another configuration"),
        ({"config": '{"precision": "fp32"}'}, "do not describe"),
        ({"image_size": "[128, 64]"}, "images of 128x64"),
    ):
        copy = tmp_path / "bank.h5"
        copy.write_bytes(kept.read_bytes())
        with h5py.File(copy, "r+") as file:
            hdf5.set_attributes(file, change)
        with pytest.raises(UserError, match=words):
            Searcher(model, copy, device="cpu")


def test_queries_are_computed_in_the_precision_of_the_bank(tmp_path, folder, model):
    out = tmp_path / "bank.h5"
    run("embed", folder, "--model", model, "--out", out, "--precision", "bf16")
    assert Searcher(model, out, device="cpu").embedder.inference.precision == "bf16"


def test_features_that_are_not_finite_are_named_and_zeros_shown_as_such(tmp_path, folder, model, kept):
    broken = tmp_path / "nan.h5"
    broken.write_bytes(kept.read_bytes())
    with h5py.File(broken, "r+") as file:
        file["images/local"][4, 0, 2] = np.nan
    query = folder / "<b>" / "02.png"
    with pytest.raises(UserError, match=r"nan.h5: a feature is not finite for 1 images, first <b>/05.png"):
        Searcher(model, broken, device="cpu").search(query)

    def zeros(bank: FeatureBank) -> FeatureBank:
        keep = (np.arange(30) != 4).astype(np.float32)
        return dataclasses.replace(bank, global_=bank.global_ * keep[:, None], local=bank.local * keep[:, None, None])

    people = Searcher(model, changed(kept, tmp_path / "zero.h5", zeros), device="cpu")
    blank = {hit.name: hit.similarity for hit in people.search(query, top=30) if hit.blank}
    assert blank == {"<b>/05.png": 0}


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory, folder) -> Path:
    """70 copies of one picture among 30 others: they fill whole batches and the last, short one."""
    pictures = tmp_path_factory.mktemp("copies") / "pictures"
    shutil.copytree(folder, pictures)
    for i in range(70):
        shutil.copy(folder / "<b>" / "07.png", pictures / f"a{i:02d}.png")
    return pictures


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("candidates", [0, 100])
def test_equal_pictures_are_equal_in_the_banks_order_and_never_above_one(
    tmp_path, copies, model, precision, candidates
):
    if candidates:
        pytest.importorskip("faiss")
    out = tmp_path / "bank.h5"
    run("embed", copies, "--model", model, "--out", out, "--precision", precision)
    bank = store.read_bank(out)[0]
    hits = Searcher(model, out, device="cpu", candidates=candidates).search(copies / "twin.png", top=100)
    equal = sorted(["<b>/07.png", "twin.png", *(f"a{i:02d}.png" for i in range(70))])
    assert [hit.name for hit in hits[:72]] == [name for name in bank.name if name in equal]
    assert len({(hit.similarity, hit.global_similarity, hit.stripes) for hit in hits[:72]}) == 1
    assert max(max(hit.similarity, hit.global_similarity, *hit.stripes) for hit in hits) <= 1
    rows = np.isin(bank.name, equal)
    for values in (bank.global_, bank.local, bank.visibility):
        assert (values[rows] == values[rows][0]).all()


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_an_answer_is_the_same_alone_among_others_and_in_every_bank(tmp_path, folder, model, precision):
    """Numbers and all, whatever else is asked, whatever else the bank holds, and where in it."""
    few = tmp_path / "few"
    shutil.copytree(folder / "<b>", few / "<b>")
    queries = [few / "<b>" / "11.png", *(few / "<b>" / f"{i:02d}.png" for i in range(5, 25))]
    banks = {pictures: tmp_path / f"{pictures.name}.h5" for pictures in (folder, few)}
    for pictures, out in banks.items():
        run("embed", pictures, "--model", model, "--out", out, "--precision", precision)
    wanted = dict.fromkeys(sorted(f"<b>/{path.name}" for path in (few / "<b>").iterdir()))
    for out in banks.values():
        people = Searcher(model, out, device="cpu")
        for asked in (queries[:1], queries[:3], queries):
            found = {hit.name: hit for hit in people.answers(asked, top=30)[0].hits if hit.name in wanted}
            numbers = {name: (hit.similarity, hit.global_similarity, hit.stripes) for name, hit in found.items()}
            assert wanted.keys() == numbers.keys()
            if any(wanted.values()):
                assert numbers == wanted
            wanted = numbers


def test_queries_pass_in_batches_of_the_banks_size(tmp_path, folder, model):
    out = tmp_path / "bank.h5"
    run("embed", folder, "--model", model, "--out", out, "--batch-size", 4)
    people = Searcher(model, out, device="cpu")
    assert people.embedder.batch_size == 4
    bank = store.read_bank(out)[0]
    (answer,) = people.answers([folder / "twin.png"], top=1)
    assert answer.visibility == tuple(bank.visibility[bank.name.tolist().index("twin.png")].tolist())
    for said in ("0", "many", "1e3"):
        with h5py.File(out, "r+") as file:
            hdf5.set_attributes(file, {"batch_size": said})
        with pytest.raises(UserError, match="features of batches of"):
            Searcher(model, out, device="cpu")
