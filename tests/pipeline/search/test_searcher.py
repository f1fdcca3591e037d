"""sorn search: exact answers in their order, the same numbers on the page and in JSON, one sentence for a mistake."""

from __future__ import annotations

import dataclasses
import html
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from browser import SCHEMES, look, needs_browser, require_sound
from click.testing import CliRunner
from markupsafe import escape
from PIL import Image

from pipeline.cli.app import main
from pipeline.datasets.boxes import FrameBox, FrameCrop
from pipeline.errors import UserError
from pipeline.evaluation.calibration import Calibration, RateTable, RuleCalibration, write_calibration
from pipeline.features import store
from pipeline.io import hdf5
from pipeline.search.searcher import Searcher
from sorn.features import FeatureBank
from sorn.matching import Rule, similarity_blocks

ROOT = Path(__file__).parents[3]
HOSTILE = "<img src=x onerror=alert(1)> & \"'.png"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """30 pictures of random people, one twice; their names may be HTML."""
    folder = tmp_path_factory.mktemp("search") / "pictures"
    (folder / "<b>").mkdir(parents=True)
    for i in range(29):
        coarse = np.random.default_rng(i).integers(0, 256, (9, 4, 3), dtype=np.uint8)
        name = HOSTILE if i == 3 else f"<b>/{i:02d}.png"
        Image.fromarray(coarse).resize((32, 64)).save(folder / name)
    (folder / "twin.png").write_bytes((folder / "<b>" / "07.png").read_bytes())
    (folder / "readme.txt").write_text("who is who")
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, make_training) -> Path:
    return make_training(tmp_path_factory.mktemp("model") / "train")


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory, model, folder) -> Path:
    """The gallery's bank in fp32."""
    out = tmp_path_factory.mktemp("kept") / "bank.h5"
    run("embed", folder, "--model", model, "--out", out, "--precision", "fp32")
    return out


def run(*words: object, code: int = 0) -> str:
    result = CliRunner().invoke(main, [str(word) for word in words])
    assert result.exit_code == code, (result.output, result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.output


def changed(path: Path, copy: Path, change) -> Path:
    """A bank with other features."""
    bank, attrs = store.read_bank(path)
    store.write_bank(copy, change(bank), attrs)
    return copy


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


def test_the_readmes_three_lines_work(tmp_path, monkeypatch, model, folder, make_training):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    code = re.search(r"```python\n(from pipeline\.search .*?)```", readme, re.DOTALL)
    assert code and len([line for line in code[1].splitlines() if line]) == 3  # besides the blank one of the formatter
    make_training(tmp_path / "runs" / "synped_demo-danet" / "train")
    (tmp_path / "pictures").symlink_to(folder)
    (tmp_path / "someone.jpg").symlink_to(folder / "<b>" / "07.png")
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(code[1], names)
    assert [hit.name for hit in names["hits"][:2]] == ["<b>/07.png", "twin.png"] and len(names["hits"]) == 5
    assert names["hits"][0].similarity == pytest.approx(1, abs=1e-2)


def test_the_docstring_shows_the_lines_of_the_readme():
    import pipeline.search.searcher

    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for line in re.findall(r"^    (from|people|hits)(.*)$", pipeline.search.searcher.__doc__, re.MULTILINE):
        assert "".join(line) in readme


def test_answers_are_those_of_matching_in_its_order(model, folder, kept):
    people = Searcher(model, kept, device="cpu", tau=0.1)
    query = folder / "<b>" / "11.png"
    (answer,) = people.answers([query], top=30)
    bank = store.read_bank(kept)[0]
    row = bank.name.tolist().index("<b>/11.png")
    one = bank.take(np.array([row]))
    ((_, (expected,)),) = similarity_blocks(one, bank, [Rule("sorn", 0.1)])
    found = {hit.name: hit.similarity for hit in answer.hits}
    assert len(found) == len(bank) == 30
    assert np.abs([found[name] for name in bank.name] - expected[0]).max() < 1e-5
    values = [hit.similarity for hit in answer.hits]
    assert values == sorted(values, reverse=True) and answer.hits[0].name == "<b>/11.png"
    twins = [hit.name for hit in answer.hits if hit.name in ("<b>/07.png", "twin.png")]
    assert twins == ["<b>/07.png", "twin.png"]  # of equals the first by name
    for hit in answer.hits:  # Eq. 15 by hand
        shared = [s for s, a, b in zip(hit.stripes, answer.visible, hit.visible, strict=True) if a and b]
        assert hit.similarity == pytest.approx((hit.global_similarity + sum(shared)) / (1 + len(shared)), abs=1e-5)
    assert answer.visible == tuple(v >= np.float32(0.1) for v in answer.visibility)
    assert answer.parts is not None and answer.parts.shape == (16, 8) and answer.parts.dtype == np.uint8


@pytest.mark.parametrize("rule", ["parts", "sorn+parts"])
def test_part_groups_are_compared_when_they_are_asked_for(tmp_path, folder, make_training, rule):
    model = make_training(tmp_path / "train", part_branch=True)
    people = Searcher(model, folder, device="cpu", cache=False, tau=0.1, rule=rule)
    (answer,) = people.answers([folder / "<b>" / "05.png"], top=4)
    assert answer.hits[0].name == "<b>/05.png" and len(answer.hits[0].parts) == 5
    for hit in answer.hits:
        seen = zip(hit.parts, answer.visible_parts, hit.visible_parts, strict=True)
        values = [hit.global_similarity, *(s for s, a, b in seen if a and b)]
        if rule == "sorn+parts":
            values += [s for s, a, b in zip(hit.stripes, answer.visible, hit.visible, strict=True) if a and b]
        assert hit.similarity == pytest.approx(np.mean(values), abs=1e-5)
    assert Searcher(model, folder, device="cpu", cache=False).rule.variant == "sorn"


def test_a_rule_that_the_network_does_not_have_is_refused(model, kept):
    with pytest.raises(
        UserError, match=r"rule = parts: .* allow global, global\+local, sorn; part groups need a network"
    ):
        Searcher(model, kept, device="cpu", rule="parts")


def test_a_query_is_a_file_an_image_or_an_array(model, folder, kept):
    people = Searcher(model, kept, device="cpu")
    path = folder / "<b>" / "05.png"
    pixels = np.asarray(Image.open(path))
    hits = people.search(path, top=3)
    assert hits == people.search(str(path), top=3) and [hit.own for hit in hits] == [True, False, False]
    unnamed = [dataclasses.replace(hit, own=False) for hit in hits]  # pixels have no file
    assert unnamed == people.search(pixels, 3) == people.search(Image.open(path), 3)
    assert [answer.name for answer in people.answers([path, pixels])] == [str(path), "query 2"]
    assert hits[0].path == path and hits[0].visible and not hits[0].blank


@pytest.mark.parametrize(
    ("options", "variant"),
    [
        ({"global_branch": False}, "sorn"),
        ({"local_branch": False}, "global"),
        ({"semantic_branch": False}, "sorn"),
        ({"semantic_branch": False, "local_branch": False}, "global"),
        ({"labels": 2}, "sorn"),
    ],
)
def test_every_network_searches_with_what_it_has(tmp_path, folder, make_training, options, variant):
    model = make_training(tmp_path / "train", **options)
    query = folder / "<b>" / "05.png"
    text = run("search", "--model", model, "--gallery", folder, "--query", query, "--out", tmp_path, "--top", 2)
    found = json.loads((tmp_path / "search.json").read_text())
    (asked,) = found["queries"]
    assert found["variant"] == variant and asked["hits"][0]["name"] == "<b>/05.png"
    assert asked["hits"][0]["similarity"] == pytest.approx(1, abs=1e-2)
    assert (asked["hits"][0]["global"] is None) == (not options.get("global_branch", True))
    stripes = 0 if options.get("local_branch") is False else 3
    assert len(asked["visible"]) == len(asked["hits"][0]["stripes"]) == stripes
    if not options.get("semantic_branch", True):
        assert asked["visible"] == [True] * stripes
    page = (tmp_path / "search.html").read_text()
    assert ("its parts" in page) == options.get("semantic_branch", True)
    assert ("visible stripes:" in page) == (stripes > 0)
    assert "<b>/05.png" in text


def test_the_page_shows_the_numbers_of_the_json_and_obeys_no_name(tmp_path, folder, model, kept):
    queries = ["--query", folder / HOSTILE, folder / "<b>" / "01.png"]
    run("search", "--model", model, "--gallery", kept, *queries, "--out", tmp_path, "--top", 30)
    page, found = (tmp_path / "search.html").read_text(), json.loads((tmp_path / "search.json").read_text())
    assert [query["query"] for query in found["queries"]] == [str(folder / HOSTILE), str(folder / "<b>" / "01.png")]
    sections = page.split("<section>")[1:]
    for section, query in zip(sections, found["queries"], strict=True):
        between = r"(?:<div class=.small.>.*?</div>\s*)*"  # its rate, and whether it is the query's own picture
        pattern = rf"<div>(\d+)\. <b>(-?[\d.]+)</b></div>\s*{between}<table>(.*?)</table>\s*<div[^>]*>(.*?)</div>"
        shown = re.findall(pattern, section, re.DOTALL)
        assert len(shown) == len(query["hits"]) == 30
        for (rank, similarity, rows, name), hit in zip(shown, query["hits"], strict=True):
            assert int(rank) == hit["rank"] and similarity == f"{hit['similarity']:.3f}"
            assert html.unescape(name) == hit["name"] and Path(hit["path"]) == folder / hit["name"]
            values = re.findall(r'class="number">(.*?)<', rows)
            both = [a and b for a, b in zip(query["visible"], hit["visible"], strict=True)]
            stripes = [f"{s:.3f}" if seen else "hidden" for s, seen in zip(hit["stripes"], both, strict=True)]
            assert values == [f"{hit['global']:.3f}", *stripes]
        assert section.count("data:image/jpeg;base64,") == 30 + 2 and "picture not found" not in section
    assert "<img src=x" not in page and "<b>/" not in page and escape(HOSTILE) in page
    assert not re.search(r'(src|href)="(?!data:)', page)  # opens from disk, without a network


@needs_browser
@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_page_is_sound_in_a_browser(tmp_path, folder, model, kept, scheme):
    run("search", "--model", model, "--gallery", kept, "--query", folder / HOSTILE, "--out", tmp_path, "--top", 30)
    require_sound(look(tmp_path, (tmp_path / "search.html").read_text(), scheme))


def test_pictures_that_are_gone_leave_a_word_and_can_be_found_elsewhere(tmp_path, folder, model, kept):
    query = folder / "<b>" / "02.png"
    (tmp_path / "empty").mkdir()
    words = ["search", "--model", model, "--gallery", kept, "--query", query, "--out", tmp_path, "--top", 4]
    run(*words, "--pictures", tmp_path / "empty")
    assert (tmp_path / "search.html").read_text().count("picture not found") == 4
    (tmp_path / "moved").symlink_to(folder)
    run(*words, "--pictures", tmp_path / "moved")
    assert "picture not found" not in (tmp_path / "search.html").read_text()


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


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--gallery", "{kept}", "--query", "{folder}"], "cannot be read as an image: it is a folder"),
        (["--gallery", "{kept}", "--query", "{folder}/readme.txt"], "readme.txt cannot be read as an image: it is no"),
        (["--gallery", "{kept}", "--query", "nowhere.png"], "there is no picture nowhere.png"),
        (["--gallery", "{tmp}/nowhere", "--query", "{folder}/twin.png"], "there is no folder"),
        (["--gallery", "{tmp}", "--query", "{folder}/twin.png"], "holds no picture"),
        (["--gallery", "{folder}/twin.png", "--query", "{folder}/twin.png"], "no feature bank"),
        (["--gallery", "{kept}", "--query", "{folder}/twin.png", "--tau", "1.5"], "tau = 1.5: expected a number"),
        (["--gallery", "{kept}", "--query", "{folder}/twin.png", "--tau", "nan"], "tau = nan: expected a number"),
        (["--gallery", "{kept}", "--query", "{folder}/twin.png", "--top", "0"], "top = 0: expected 1 or more"),
        (["--gallery", "{kept}", "--query", "{folder}/twin.png", "--candidates", "-1"], "candidates = -1"),
        (["--gallery", "{kept}", "--query", "{folder}/twin.png", "--candidates", "3"], "at least top = 10"),
        (["--gallery", "{kept}", "--query", "{folder}/twin.png", "--check", "3"], "measures what --candidates miss"),
    ],
)
def test_a_mistake_is_one_sentence(tmp_path, folder, model, kept, words, sentence):
    words = [word.format(tmp=tmp_path, folder=folder, kept=kept) for word in words]
    text = run("search", "--model", model, *words, "--out", tmp_path / "out", code=1)
    assert sentence in text and len(text.strip().splitlines()) == 1, text
    assert not (tmp_path / "out" / "search.html").exists()


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


def test_candidates_are_scored_exactly_and_what_they_miss_is_said(tmp_path, folder, model, kept):
    pytest.importorskip("faiss")
    query = folder / "<b>" / "02.png"
    words = ["search", "--model", model, "--gallery", kept, "--query", query, "--top", 5, "--out", tmp_path]
    run(*words)
    exact = json.loads((tmp_path / "search.json").read_text())["queries"][0]["hits"]
    text = run(*words, "--candidates", 30, "--check", 10)
    found = json.loads((tmp_path / "search.json").read_text())
    assert found["recall"] == {"queries": 1.0, "drawn": 1.0, "pictures": 10} and found["candidates"] == 30
    for a, b in zip(found["queries"][0]["hits"], exact, strict=True):
        assert a["name"] == b["name"] and a["similarity"] == pytest.approx(b["similarity"], abs=1e-6)
    assert "recall: 100.0% of the exact answers to these queries, 100.0% of those to 10 gallery pictures" in text

    def misleading(bank: FeatureBank) -> FeatureBank:
        """Global features of others: the nearest by them are not the nearest by Eq. 15."""
        return dataclasses.replace(bank, global_=np.roll(bank.global_, 7, axis=0))

    people = Searcher(model, changed(kept, tmp_path / "odd.h5", misleading), device="cpu", candidates=5)
    recall = people.recall([query], 5, drawn=30)
    assert 0 <= recall.queries < 1 and recall.drawn is not None and 0 < recall.drawn < 1


def test_without_faiss_or_a_global_feature_candidates_are_refused(
    tmp_path, folder, model, kept, monkeypatch, make_training
):
    local = make_training(tmp_path / "train", global_branch=False)
    if "faiss" in sys.modules or pytest.importorskip("faiss"):
        with pytest.raises(UserError, match=r"this network has no global branch\. Leave --candidates out"):
            Searcher(local, folder, device="cpu", candidates=20).search(folder / "twin.png")
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(UserError, match=r"needs the package faiss.*pip install faiss-cpu"):
        Searcher(model, kept, device="cpu", candidates=20).search(folder / "twin.png")
    assert Searcher(model, kept, device="cpu").search(folder / "twin.png", top=1)


@pytest.fixture
def frames(tmp_path, folder) -> tuple[Path, Path]:
    """A frame with four of the pictures, and a CSV with their boxes; one lies outside, one has no size."""
    sheet = np.zeros((64, 4 * 32, 3), np.uint8)
    for number in range(4):
        sheet[:, 32 * number : 32 * number + 32] = np.asarray(Image.open(folder / "<b>" / f"1{number}.png"))
    Image.fromarray(sheet).save(tmp_path / "frame.png")
    boxes = tmp_path / "boxes.csv"
    rows = [f"frame.png,{32 * number},0,32,64" for number in range(4)]
    boxes.write_text("\n".join(["path,x,y,w,h", *rows, "frame.png,500,0,9,9", "frame.png,0,0,0,9"]))
    return tmp_path / "frame.png", boxes


def test_boxes_in_frames_have_the_features_of_their_crops(tmp_path, model, folder, kept, frames):
    frame, boxes = frames
    people = Searcher(model, boxes, device="cpu", keep=tmp_path / "bank.h5")
    names = [f"frame.png@{32 * number},0,32,64" for number in range(4)]
    assert people.gallery.bank.name.tolist() == names
    assert "lies outside the frame of 128x64" in people.gallery.attrs["left_out"]
    assert "has no size" in people.gallery.attrs["left_out"]
    for number, name in enumerate(names):
        (hit,) = people.search(folder / "<b>" / f"1{number}.png", top=1)
        assert (hit.name, hit.path, hit.box, hit.own) == (name, frame, (32 * number, 0, 32, 64), False)
        assert hit.similarity == pytest.approx(1, abs=1e-2)
    (answer,) = people.answers([FrameCrop(frame, FrameBox(32, 0, 32, 64))], top=4)
    assert [hit.own for hit in answer.hits] == [True, False, False, False] and answer.hits[0].name == names[1]
    again = Searcher(model, boxes, device="cpu", keep=tmp_path / "bank.h5")
    assert np.array_equal(again.gallery.bank.global_, people.gallery.bank.global_)


def test_frames_are_searched_from_the_command_line(tmp_path, model, folder, frames):
    frame, boxes = frames
    wanted = tmp_path / "wanted.csv"
    wanted.write_text("path,x,y,w,h\nframe.png,64,0,32,64\n")
    out = tmp_path / "out"
    said = run("search", "--model", model, "--gallery", boxes, "--query", wanted, "--top", 2, "--out", out)
    assert f"{frame}@64,0,32,64" in said and "(the query's own picture)" in said
    found = json.loads((out / "search.json").read_text())
    (first, _) = found["queries"][0]["hits"]
    assert first["own"] and first["box"] == [64, 0, 32, 64] and first["false_match_rate"] is None
    assert (out / "search.html").read_text().count("the query&#39;s own picture") == 1
    wanted.write_text("path,x,y,w,h\nframe.png,64,0,0,64\n")
    said = run("search", "--model", model, "--gallery", boxes, "--query", wanted, "--out", out, code=1)
    assert "line 2: its box 64,0,0,64 has no size" in said


def test_nobody_is_an_answer(tmp_path, model, folder, kept):
    query, out = folder / "<b>" / "05.png", tmp_path / "out"
    people = Searcher(model, kept, device="cpu", at_least=1.0)
    assert people.search(Image.new("RGB", (32, 64), "red")) == []
    said = run("search", "--model", model, "--gallery", kept, "--query", query, "--out", out, "--at-least", "1")
    found = json.loads((out / "search.json").read_text())
    (answer,) = found["queries"]
    assert found["wanted"] == "a similarity of at least 1" and set(found["thresholds"]) == {1.0}
    if not answer["hits"]:
        assert f"nobody: the most similar picture reaches {answer['highest']:.4f}" in said
    assert all(hit["similarity"] >= 1 for hit in answer["hits"]) and answer["highest"] > 0.99
    run("search", "--model", model, "--gallery", kept, "--query", query, "--out", out, "--at-least", "2", code=1)


def test_hits_have_the_rate_of_wrong_pairs_and_a_rate_is_a_threshold(tmp_path, make_training, folder):
    model = make_training(tmp_path / "train")
    plain = Searcher(model, folder, device="cpu", cache=False)
    query = folder / "<b>" / "05.png"
    (before,) = plain.answers([query], top=30)
    middle = float(np.median([hit.similarity for hit in before.hits]))
    table = RateTable(90, 9000, 50, (0.5, 0.01), (-1.0, middle), (0.0, 0.5))
    empty = RateTable(0, 0, 0, (), (), ())
    rules = {"sorn": RuleCalibration(table, (empty,) * 4)}
    options = (0.15, plain.rule.part_tau, False, False, False, "network")
    written = Calibration(1, plain.embedder.sha256, "mine", "val", 10, 20, 50, *options, rules)
    write_calibration(model / "calibration.json", written)
    people = Searcher(model, folder, device="cpu", cache=False, false_match_rate="1%")
    (answer,) = people.answers([query], top=30)
    assert [hit.name for hit in answer.hits] == [h.name for h in before.hits if h.similarity >= np.float32(middle)]
    assert {hit.false_match_rate for hit in answer.hits} == {0.01}
    (all_,) = Searcher(model, folder, device="cpu", cache=False).answers([query], top=30)
    assert {hit.false_match_rate for hit in all_.hits} == {0.5, 0.01}
    with pytest.raises(UserError, match="is lower than the calibration"):
        Searcher(model, folder, device="cpu", cache=False, false_match_rate=0.001)
    with pytest.raises(UserError, match="there is no calibration"):
        (model / "calibration.json").unlink()
        Searcher(model, folder, device="cpu", cache=False, false_match_rate=0.01)


CLICK = """<script>
document.querySelector("button.enlarge").click();
const seen = { open: document.getElementById("large").open, same: document.querySelector("dialog img").src ===
  document.querySelector("button.enlarge img").src };
document.getElementById("large").click();
seen.closed = !document.getElementById("large").open;
</script>"""


@needs_browser
@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_click_enlarges_a_picture(tmp_path, model, folder, kept, scheme):
    run("search", "--model", model, "--gallery", kept, "--query", folder / "<b>" / "05.png", "--out", tmp_path)
    seen = look(tmp_path, (tmp_path / "search.html").read_text(), scheme, CLICK)
    require_sound(seen)
    assert all(seen[width][key] for width in ("390", "1280") for key in ("open", "same", "closed"))


def test_a_first_answer_imports_neither_a_compiler_nor_torchvision(folder):
    code = (
        "import sys; from pipeline.search import Searcher; "
        f"Searcher('starter', {str(folder)!r}, device='cpu', cache=False).search({str(folder / 'twin.png')!r}); "
        "print([name for name in ('torch._dynamo', 'torchvision', 'sympy', 'timm') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]", done.stderr
