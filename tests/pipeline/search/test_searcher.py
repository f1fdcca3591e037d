"""sorn search: exact answers in their order, the same numbers on the page and in JSON, one sentence for a mistake."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from searches import run

from pipeline.errors import UserError
from pipeline.features import store
from pipeline.search.searcher import Searcher
from sorn.matching import similarity_blocks
from sorn.rules import Rule

ROOT = Path(__file__).parents[3]


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


def test_a_first_answer_imports_neither_a_compiler_nor_torchvision(folder):
    code = (
        "import sys; from pipeline.search import Searcher; "
        f"Searcher('starter', {str(folder)!r}, device='cpu', cache=False).search({str(folder / 'twin.png')!r}); "
        "print([name for name in ('torch._dynamo', 'torchvision', 'sympy', 'timm') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.strip() == "[]", done.stderr
