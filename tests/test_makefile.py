"""The stages through the real Makefile: what runs when, what stays when something fails, and resuming after SIGKILL.

The dataset is a CSV of small random pictures with index masks beside them: it takes no rendering, and training on it
takes seconds.
"""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
CONFIG = """
base = "paper"
[masks]
image_size = [64, 32]
splits = ["train"]
[model]
backbone = "resnet10"
semantic_channels = 8
[schedule]
epochs = 2
warmup_epochs = 1
milestones = [1]
[train]
init = "none"
batch_size = 4
[eval]
ranked_queries = 2
ranked_gallery = 3
"""
STAGES = ("data", "masks", "train", "eval")
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}  # tiny tensors gain nothing from threads that wait for each other


class Project:
    """A folder with a dataset, masks, a config and runs; `make` runs a target of the project's Makefile on it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.runs = folder, folder / "runs"
        self.config = folder / "tiny.toml"

    def build(self) -> "Project":
        rng = np.random.default_rng(0)
        rows = ["path,pid,camid,split"]
        for split, pids in (("train", range(4)), ("query", range(4, 7)), ("gallery", range(4, 7))):
            for pid in pids:
                for camid in (1, 2) if split == "train" else (1,) if split == "query" else (2, 3):
                    name = f"{split}-{pid}-{camid}"
                    Image.fromarray(rng.integers(0, 255, (40, 20, 3), dtype=np.uint8)).save(self.folder / f"{name}.png")
                    rows.append(f"{name}.png,{pid},{camid},{split}")
                    mask = rng.integers(0, 8, (40, 20), dtype=np.uint8)
                    for masks in ("masks", "same", "other"):
                        (self.folder / masks).mkdir(exist_ok=True)
                        drawn = Image.fromarray(np.roll(mask, 7) if masks == "other" else mask)
                        level = 0 if masks == "same" else 6  # other files of the same masks
                        drawn.save(self.folder / masks / f"{name}.png", compress_level=level)
        (self.folder / "tiny.csv").write_text("\n".join(rows) + "\n")
        self.config.write_text(CONFIG)
        return self

    def command(self, target: str, masks: str = "masks", args: str = "") -> list[str]:
        options = (
            f"--set masks.options.folder={self.folder / masks} --set masks.options.table=sorn8 --device cpu {args}"
        )
        return [
            "make", "--no-print-directory", "-C", str(ROOT), target, f"PYTHON={sys.executable}",
            f"DATASET={self.folder / 'tiny.csv'}", "LABELER=import", f"CONFIG={self.config}", f"RUNS={self.runs}",
            f"DATA_ROOT={self.folder}", f"ARGS={options}",
        ]  # fmt: skip

    def make(self, target: str, masks: str = "masks", args: str = "", fails: bool = False) -> str:
        done = subprocess.run(
            self.command(target, masks, args), capture_output=True, text=True, check=False, env=ENVIRONMENT
        )
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        return done.stdout + done.stderr

    def ran(self, target: str, masks: str = "masks", args: str = "") -> list[str]:
        """The stages that did work."""
        return re.findall(r"^(\w+): done in", self.make(target, masks, args), re.MULTILINE)

    def file(self, stage: str, name: str) -> Path:
        return self.runs / ("tiny" if stage == "data" else "tiny-import") / stage / name


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("finished")).build()
    assert project.ran("eval") == list(STAGES)
    return project


@pytest.fixture
def project(finished, tmp_path):
    """A copy of the finished project that a test may break. Its paths differ; what was computed does not."""
    shutil.copytree(finished.folder, tmp_path / "copy")
    copy = Project(tmp_path / "copy")
    assert copy.ran("eval") == []  # images and masks lie elsewhere now, and are the same
    return copy


def test_nothing_changed_nothing_runs(finished):
    stamps = {stage: finished.file(stage, "stamp.json").stat().st_mtime_ns for stage in STAGES}
    assert finished.ran("eval") == []
    assert {stage: finished.file(stage, "stamp.json").stat().st_mtime_ns for stage in STAGES} == stamps


def test_a_fresh_stage_answers_without_torch(finished):
    """torch takes seconds to import."""
    told = ENVIRONMENT | {"PYTHONPROFILEIMPORTTIME": "1"}  # every module that is imported, on standard error
    done = subprocess.run(finished.command("eval"), capture_output=True, text=True, check=True, env=told)
    assert done.stdout.count("nothing to do") == len(STAGES) and "pipeline.stages.driver" in done.stderr
    assert not re.search(r"\| +torch$", done.stderr, re.MULTILINE)


def test_an_evaluation_option_runs_eval_only_and_extracts_nothing_again(project):
    before = project.file("eval", "features.h5").stat().st_mtime_ns
    assert project.ran("eval", args="--set eval.tau=0.5") == ["eval"]
    assert project.file("eval", "features.h5").stat().st_mtime_ns == before


def test_another_labeling_runs_masks_train_and_eval(project):
    assert project.ran("eval", masks="other") == ["masks", "train", "eval"]


def test_identical_masks_from_a_changed_labeler_retrain_nothing(project):
    assert project.ran("eval", masks="same") == ["masks"]


def test_a_copy_of_the_masks_in_another_folder_runs_nothing(project):
    shutil.copytree(project.folder / "masks", project.folder / "copied")
    assert project.ran("eval", masks="copied") == []


def test_a_training_option_leaves_the_masks_alone(project):
    said = project.make("eval", args="--set train.seed=1", fails=True)
    assert "is finished, with other options: option train.seed changed: 0 -> 1" in said
    assert project.ran("eval", args="--set train.seed=1 --retrain") == ["train", "eval"]


def test_status_says_why(finished):
    assert finished.make("status").count(" fresh ") == 4
    stale = finished.make("status", args="--set train.seed=1")
    assert "option train.seed changed: 0 -> 1" in stale and "-> Run: make train" in stale


def test_verify_reads_the_run_that_the_variables_name(project):
    assert re.search(r"verify: .* s: whole$", project.make("verify"), re.MULTILINE)
    project.file("masks", "labels.md").write_text("something else")
    said = project.make("verify", fails=True)
    assert f"Delete {project.file('masks', 'labels.md')}, then run: make masks DATASET={project.folder}" in said


def test_a_failed_stage_keeps_what_was_good(project):
    good = project.file("train", "model.safetensors").read_bytes()
    (project.folder / "other" / "train-2-1.png").unlink()
    text = project.make("eval", masks="other", fails=True)
    assert "train-2-1" in text and "Error:" in text
    assert project.file("train", "model.safetensors").read_bytes() == good
    assert not list(project.runs.rglob("*.tmp"))
    assert project.ran("eval") == []  # what was finished is still there


def test_one_stage_alone_refuses_stale_input_and_names_the_command(project):
    command = [sys.executable, "-m", "pipeline", "eval", "--dataset", str(project.folder / "tiny.csv")]
    command += ["--labeler", "import", "--config", str(project.config), "--runs", str(project.runs)]
    command += ["--set", f"masks.options.folder={project.folder / 'masks'}", "--set", "masks.options.table=sorn8"]
    done = subprocess.run(
        [*command, "--set", "train.seed=5"], cwd=ROOT, capture_output=True, text=True, check=False, env=ENVIRONMENT
    )
    assert done.returncode == 1
    assert "option train.seed changed: 0 -> 5" in done.stderr and "make train" in done.stderr


def test_a_killed_training_ends_with_the_same_weights(project):
    args = "--set schedule.epochs=12 --set train.seed=7 --retrain"
    assert "train" in project.ran("train", args=args)
    undisturbed = project.file("train", "model.safetensors").read_bytes()
    shutil.rmtree(project.file("train", ""))

    process = subprocess.Popen(
        project.command("train", args=args),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env=ENVIRONMENT,
    )
    deadline = time.monotonic() + 300
    while not list(project.file("train", "").glob("state-*.pt")):
        assert process.poll() is None and time.monotonic() < deadline, "no state was written before the end"
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not project.file("train", "model.safetensors").exists()

    assert "going on at epoch" in project.make("train", args=args)
    assert project.file("train", "model.safetensors").read_bytes() == undisturbed
    assert not list(project.file("train", "").glob("state-*.pt"))


def test_the_report_holds_the_three_variants(finished):
    report = json.loads(finished.file("eval", "report.json").read_text())
    assert set(report["metrics"]) >= {"global", "global+local", "sorn"}
    for metrics in report["metrics"].values():
        assert 0 <= metrics["rank-1"] <= 1 and 0 <= metrics["mAP"] <= 1 and metrics["queries"] == 3


TARGETS = (
    "setup",
    "demo",
    "data",
    "labeler",
    "masks",
    "train",
    "eval",
    "tables",
    "status",
    "verify",
    "test",
    "test-slow",
    "bench",
    "lint",
)


def test_help_is_the_default_goal_and_names_every_target():
    text = subprocess.run(["make", "-C", str(ROOT)], capture_output=True, text=True, check=True).stdout
    for target in (*TARGETS, "clean"):
        assert f"make {target} " in text


def dry(*words: str, fails: bool = False, **environment: str) -> str:
    """What `make -n` would run, or says."""
    command = ["make", "-n", "--no-print-directory", "-C", str(ROOT), "PYTHON=python", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=ENVIRONMENT | environment)
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return done.stderr if fails else done.stdout


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("DATSET=x", "DATASET"),
        ("dataset=x", "DATASET"),
        ("TRAINEDON=x", "TRAINED_ON"),
        ("EXPERIMNT=x", "EXPERIMENT"),
        ("SEED=1", "SEEDS"),
        ("RUN=x", "RUNS"),
    ],
)
@pytest.mark.parametrize("target", ["eval", "help", "tables"])
def test_an_unknown_variable_is_refused_before_anything_runs(tmp_path, target, given, meant):
    command = ["make", "-C", str(ROOT), target, f"PYTHON={sys.executable}", f"RUNS={tmp_path / 'runs'}", given]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=ENVIRONMENT)
    assert done.returncode == 2 and not list(tmp_path.iterdir())
    assert f"unknown variable '{given.partition('=')[0]}'. Did you mean {meant}? Known: DATASET" in done.stderr


def test_a_variable_that_resembles_none_is_refused_with_those_that_are_known():
    said = dry("eval", "PQJ=1", fails=True)
    assert "unknown variable 'PQJ'. Known: DATASET LABELER" in said


def test_every_variable_of_the_help_is_known():
    text = subprocess.run(["make", "-C", str(ROOT), "help"], capture_output=True, text=True, check=True).stdout
    named = set(re.findall(r"\b([A-Z_]{4,})(?==)", text)) | {"LABELER"}
    assert named >= {"DATASET", "ARGS", "INIT", "EXPERIMENT", "NPROC", "POSE", "SEEDS", "GRID", "FUZZ"}
    dry("status", *(f"{name}=x" for name in sorted(named - {"PYTHON"})))


def test_the_environment_and_makes_own_variables_and_options_are_let_through():
    assert "'data'" in dry("status", "-j4", "SHELL=/bin/sh", CC="gcc", DATSET="x", MAKEFLAGS="k")


def words_of(line: str) -> list[str]:
    return shlex.split(line)


@pytest.mark.parametrize("value", ["/x/my data/own.csv", "it's here", 'a "b" c', "a;b", "*", "a\\b", "(a) & b"])
def test_a_value_with_blanks_or_signs_is_one_word(value):
    names = ("DATASET", "DATA_ROOT", "RUNS", "INIT", "CONFIG", "TRAINED_ON", "EXPERIMENT", "LABELER")
    for line in dry("eval", *(f"{name}={value}" for name in names)).splitlines():
        words = words_of(line)
        for name in names:
            option = "--" + name.lower().replace("_", "-")
            assert words[words.index(option) + 1] == value, line
    assert words_of(dry("tables", f"RUNS={value}", f"POSE={value}").splitlines()[-1])[-4:-2] == [
        "--set",
        f"masks.keypoints={value}",
    ]


def test_args_are_words_and_a_home_folder_is_expanded():
    words = words_of(dry("status", "ARGS=--set eval.tau=0.2 --set 'a=b c'", "RUNS=~/my runs", HOME="/home/me"))
    assert words[-4:] == ["--set", "eval.tau=0.2", "--set", "a=b c"]
    assert words[words.index("--runs") + 1] == "/home/me/my runs"


def test_an_interpreter_in_a_folder_with_blanks():
    assert words_of(dry("status", "PYTHON=/my env/python"))[:3] == ["/my env/python", "-m", "pipeline"]
    assert words_of(dry("eval", "PYTHON=/my env/python", "NPROC=2").splitlines()[-1])[1:4] == [
        "/my env/python", "-m", "torch.distributed.run",
    ]  # fmt: skip


def test_a_dataset_in_a_folder_with_blanks_is_found(tmp_path):
    folder = tmp_path / "my data"
    folder.mkdir()
    Image.new("RGB", (20, 40)).save(folder / "a b.png")
    rows = [f"a b.png,{pid},{camid},{split}" for pid, camid, split in ((1, 1, "query"), (1, 2, "gallery"))]
    (folder / "own.csv").write_text("\n".join(["path,pid,camid,split", *rows]) + "\n")
    command = ["make", "-C", str(ROOT), "status", f"PYTHON={sys.executable}", "LABELER=none"]
    command += [f"DATASET={folder / 'own.csv'}", f"RUNS={tmp_path / 'my runs'}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=ENVIRONMENT)
    assert done.returncode == 0, done.stderr
    assert f"{tmp_path / 'my runs'}/own/data" in done.stdout


def paste(line: str) -> str:
    """What a line of a message says when it is pasted into a shell."""
    assert line.startswith("make ")
    command = line.replace("make ", f"make --no-print-directory -C {shlex.quote(str(ROOT))} ", 1)
    done = subprocess.run(
        f"{command} PYTHON={shlex.quote(sys.executable)}",
        shell=True,
        check=False,
        capture_output=True,
        text=True,
        env=ENVIRONMENT,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_ways_on_do_what_they_say(project):
    """The run keeps its options without the configuration file, and each of three lines goes another way."""
    assert project.ran("eval", args="--set eval.tau=0.2") == ["eval"]
    project.config.unlink()
    bare = f"make status DATASET={project.folder / 'tiny.csv'} LABELER=import RUNS={project.runs}"
    said = paste(bare)
    assert said.count(" fresh ") == 4 and f"CONFIG={project.file('eval', 'stamp.json')}" in said
    before = project.file("train", "model.safetensors").read_bytes()
    refused = paste(f"{bare} ARGS='--set schedule.epochs=1 --set schedule.milestones=[]'")
    assert "option schedule.epochs changed: 2 -> 1; option schedule.milestones changed: [1] -> []" in refused.replace(
        "\n          ", "; "
    )
    (line,) = re.findall(r"-> (Run: make train .*)", refused)
    anew, beside, kept = (part.partition(": ")[2] for part in line.split("; "))
    assert "nothing to do" in paste(kept) and "EXPERIMENT=epochs-1" in beside
    assert "train: done in" in paste(beside)
    assert project.file("train", "model.safetensors").read_bytes() == before
    assert (project.runs / "tiny-import/experiments/epochs-1/train/model.safetensors").is_file()
    assert "train: done in" in paste(anew)
    assert project.file("train", "model.safetensors").read_bytes() != before
    assert "train: fresh" in paste(bare.replace("status", "eval"))
    again = json.loads(project.file("eval", "report.json").read_text())["provenance"]["command"]
    assert "eval: fresh" in paste(again)


def test_another_configuration_does_not_label_anew_unasked(project):
    shards = {path: path.stat().st_mtime_ns for path in project.file("masks", "").rglob("*.h5")}
    size = "--set masks.image_size=[32,16]"
    said = project.make("eval", args=size, fails=True)
    assert "option image_size changed: [64, 32] -> [32, 16]" in said and "--relabel" in said
    assert {path: path.stat().st_mtime_ns for path in project.file("masks", "").rglob("*.h5")} == shards
    assert project.ran("masks", args=f"{size} --relabel") == ["masks"]


def test_an_evaluation_with_a_foreign_checkpoint_needs_no_labels(project):
    """An evaluation-only list of images, whose usual labeler would ask for weights."""
    rows = (project.folder / "tiny.csv").read_text().splitlines()
    (project.folder / "only.csv").write_text("\n".join(row for row in rows if ",train" not in row) + "\n")
    line = f"make eval DATASET={project.folder / 'only.csv'} TRAINED_ON=tiny-import RUNS={project.runs}"
    said = paste(line)
    assert re.findall(r"^(\w+): done in", said, re.MULTILINE) == ["data", "masks", "eval"]
    assert (project.runs / "only-none/eval-from-tiny-import/report.html").is_file()
    assert paste(line).count("nothing to do") == 3
