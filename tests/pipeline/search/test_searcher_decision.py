"""Searches whose answer may be nobody."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image
from searches import run

from pipeline.errors import UserError
from pipeline.evaluation.calibration import Calibration, RateTable, RuleCalibration, write_calibration
from pipeline.search.searcher import Searcher


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
