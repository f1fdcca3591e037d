"""The command line: what it refuses, and how it says so."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.cli import stages
from pipeline.cli.app import main
from pipeline.labelers import LABELERS
from pipeline.runs.config import Config


def run(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(main, words)
    assert result.exit_code == code, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.output


def common(tmp_path, *more: str) -> list[str]:
    return ["--data-root", str(tmp_path / "data"), "--runs", str(tmp_path / "runs"), *more]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--dataset", "market1502"], ["unknown dataset 'market1502'", "Did you mean market1501"]),
        (["--dataset", "market1501"], ["Market-1501", "data"]),
        (["--config", "papper"], ["no configuration 'papper'", "demo, finetune, paper"]),
        (["--set", "eval.tau=3"], ["eval.tau = 3"]),
        (["--workers", "-1"], ["workers = -1"]),
        (["--experiment", "a/b"], ["experiment 'a/b'", "letters, digits"]),
        (["--trained-on", "market1501"], ["no finished training run of 'market1501'", "make train DATASET=market1501"]),
    ],
)
def test_a_mistake_is_one_sentence_with_the_remedy(tmp_path, options, words):
    text = run("data", "prepare", *common(tmp_path, *options), code=1)
    for word in words:
        assert word in text
    assert len(text.strip().splitlines()) == 1 and text.startswith("Error: ")


def test_a_labeler_that_is_not_here_is_named_with_those_that_are(tmp_path):
    text = run("masks", *common(tmp_path, "--labeler", "densepos"), code=1)
    assert "unknown labeler 'densepos'" in text
    for known in LABELERS:
        assert known in text


def test_status_of_nothing_names_the_first_command(tmp_path):
    text = run("status", *common(tmp_path))
    assert re.search(r"data +stale .*\n +never finished\n +-> Run: make data DATASET=synped_demo", text)
    assert (
        "the masks stage of synped_demo has not finished" in text and "-> Run: make masks DATASET=synped_demo" in text
    )


def test_a_stage_refuses_to_run_before_its_input(tmp_path):
    text = run("train", *common(tmp_path), code=1)
    assert "train needs a fresh data stage" in text and "make data" in text
    assert not (tmp_path / "runs").exists()


def test_a_missing_dataset_is_explained_on_one_screen(tmp_path):
    text = run("data", "check", "market1501", "--data-root", str(tmp_path), code=1)
    assert "Market-1501-v15.09.15" in text and len(text.splitlines()) < 40


def test_every_command_teaches(tmp_path):
    stages = (["masks"], ["masks", "compare"], ["train"], ["eval"], ["export"], ["report", "compare"], ["status"])
    stages += (["tables"], ["tables", "run"], ["tables", "show"])
    for words in ([], ["doctor"], ["data"], ["data", "prepare"], ["data", "check"], ["data", "coco"], *stages):
        assert "--help" in run(*words, "--help")
    assert "partial_reid" in run("datasets")


def test_clean_removes_outputs_of_one_run_and_nothing_else(tmp_path):
    for name in ("synped_demo/data", "synped_demo-danet/masks", "synped_demo-import/masks"):
        (tmp_path / "runs" / name).mkdir(parents=True)
    (tmp_path / "data" / "synped_demo").mkdir(parents=True)
    run("clean", *common(tmp_path))
    left = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if not any(path.iterdir()))
    assert left == ["data/synped_demo", "runs/synped_demo-import/masks"]


def test_labelers_are_listed_with_their_options():
    text = run("labelers")
    for name in LABELERS:
        assert f"Labeler `{name}`: " in text
    assert 'mode = "given_box"' in text and "flip = true" in text and 'missing = "error"' in text


def test_what_a_training_starts_from_has_an_option_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Config] = []
    monkeypatch.setattr(stages, "run_stage", lambda name, run, force: seen.append(run.config))
    for words in (["--init", "none"], ["--init", "a file.pth"], ["--set", "train.init=imagenet"]):
        assert CliRunner().invoke(main, ["train", "--runs", str(tmp_path), *words]).exit_code == 0
    assert [config.train.init for config in seen] == ["none", "a file.pth", "imagenet"]


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB.\nmore"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes."),
        MemoryError(),
    ],
)
def test_a_full_memory_is_a_sentence_with_a_remedy(tmp_path, monkeypatch, error):
    def full(*_: object) -> None:
        raise error

    monkeypatch.setattr(stages.driver, "execute", full)
    text = run("data", *common(tmp_path), code=1)
    assert "there is not enough memory: " in text and "--set train.batch_size=" in text and "more" not in text
    with pytest.raises(RuntimeError, match="another error"):
        error = RuntimeError("another error")
        CliRunner().invoke(main, ["data", *common(tmp_path)], catch_exceptions=False)
