"""Searches among the candidates of an index."""

from __future__ import annotations

import dataclasses
import json
import sys

import numpy as np
import pytest
from searches import changed, run

from pipeline.errors import UserError
from pipeline.search.searcher import Searcher
from sorn.features import FeatureBank


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
