"""The catalogue of options holds what the configs say, and finds what a wrong name means."""

from __future__ import annotations

import dataclasses

import pytest

from pipeline.errors import UserError
from pipeline.runs.config import SECTIONS, Config
from pipeline.runs.config_loading import load_config
from pipeline.runs.option_names import known_options, nearest_option
from pipeline.runs.options import find_options, section_title
from sorn.config import choices_of


def test_every_option_is_there_with_its_default_and_a_reason() -> None:
    found = {option.key: option for option in find_options()}
    assert list(found) == known_options()
    for key, option in found.items():
        section, _, name = key.partition(".")
        assert option.default == getattr(getattr(Config(), section), name)
        assert option.kind and option.reason, f"{key} has no reason beneath it"


def test_an_option_says_type_choices_presets_and_former_name() -> None:
    (stripes,) = find_options("model.stripes")
    assert (stripes.kind, stripes.default, stripes.former) == ("a whole number", 3, ("model.parts",))
    assert stripes.presets == {"demo": 6, "finetune": 6, "pcb": 6, "synped": 6}
    assert "stripes of the local branch" in stripes.reason
    (split,) = find_options("eval.split")
    assert split.choices == ("test", "val") and "(one of test, val)" in split.lines()[0]
    (labels,) = find_options("model.semantic_channels")
    assert labels.reason.count("\n") > 2  # all lines of its comment
    assert find_options("masks.image_size")[0].kind == "a list of 2 whole numbers"


def test_an_option_that_is_left_open_says_so() -> None:
    (option,) = find_options("eval.colour")
    assert option.lines()[0] == "eval.colour = not set    (true or false)"


def test_presets_are_those_that_differ_from_the_default() -> None:
    for option in find_options():
        for name in ("demo", "paper", "pcb", "segmenter", "synped"):
            value = getattr(getattr(load_config(name), option.section), option.name)
            assert option.presets.get(name, option.default) == value


def test_sections_and_former_names() -> None:
    assert {option.section for option in find_options("eval")} == {"eval"}
    assert find_options("labeler.epochs") == find_options("danet.epochs")
    assert find_options("model.parts") == find_options("model.stripes")
    assert "[labeler]" in section_title("danet") and section_title("eval").startswith("[eval] Stage 3")


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("modle", "no section 'modle'. Did you mean model?"),
        ("tau", "no section 'tau'. Did you mean eval.tau?"),
        ("modle.stripes", "Did you mean model.stripes?"),
        ("train.epochs", "no option 'train.epochs'. Did you mean schedule.epochs?"),
        ("zzz", "no section 'zzz'. Known: danet, masks"),
    ],
)
def test_what_is_unknown_is_answered_with_what_is_meant(wrong: str, meant: str) -> None:
    with pytest.raises(UserError) as error:
        find_options(wrong)
    assert meant in str(error.value)


def test_every_option_is_the_nearest_to_itself_and_to_its_misspelling() -> None:
    for key in known_options():
        assert nearest_option(key) == key
        if len(key.partition(".")[2]) > 4 and key != "eval.rerank_k2":
            assert nearest_option(key[:-1]) == key


@pytest.mark.parametrize("section", SECTIONS)
def test_a_value_that_is_no_choice_is_refused(section: str) -> None:
    kind = SECTIONS[section]
    for field in dataclasses.fields(kind):
        if choices_of(field):
            with pytest.raises(ValueError, match=rf"{section}\.{field.name} = 'none of them': expected one of "):
                kind(**{field.name: "none of them"})


@pytest.mark.parametrize("section", SECTIONS)
@pytest.mark.parametrize("number", [float("inf"), float("nan")])
def test_a_number_that_is_not_finite_is_refused(section: str, number: float) -> None:
    kind = SECTIONS[section]
    for field in dataclasses.fields(kind):
        if isinstance(getattr(kind(), field.name), float):
            with pytest.raises(ValueError, match=rf"{section}\.{field.name} = {number}: expected "):
                kind(**{field.name: number})


def test_a_seed_that_no_generator_takes_is_refused() -> None:
    for section in ("danet", "train", "eval"):
        for seed in (-1, 2**64):
            with pytest.raises(ValueError, match=rf"{section}\.seed = {seed}: expected a whole number from 0 to"):
                SECTIONS[section](seed=seed)
