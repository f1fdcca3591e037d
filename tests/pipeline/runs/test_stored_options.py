"""Options in files: former names, and options that came later."""

from __future__ import annotations

import pytest

from pipeline.io.build import fields_of
from pipeline.runs.config import SECTIONS
from pipeline.runs.stored_options import ADDED, as_json, read_model
from sorn.config import LossConfig, SORNConfig

WITH = SORNConfig(part_branch=True, stripes=6)


def test_an_option_that_came_later_is_named_only_with_another_value() -> None:
    for section, _, name in (option.partition(".") for option in ADDED):
        assert name in fields_of(SECTIONS[section]) and name not in as_json(SECTIONS[section]())
    assert as_json(WITH)["part_branch"] is True
    assert as_json(LossConfig(part_weight=0.5))["part_weight"] == 0.5


@pytest.mark.parametrize("model", [SORNConfig(), WITH])
def test_a_network_is_read_as_it_was_written(model: SORNConfig) -> None:
    assert read_model(as_json(model)) == model
    assert as_json(model)["parts"] == model.stripes
