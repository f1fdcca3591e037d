"""Presets, files and overrides, and what is refused."""

import dataclasses

import pytest

from pipeline.errors import UserError
from pipeline.runs.config import SECTIONS, Config
from pipeline.runs.config_loading import load_config, presets


def test_every_preset_loads():
    assert {"paper", "demo"} <= set(presets())
    for name in presets():
        assert isinstance(load_config(name), Config)


def test_the_paper_preset_is_section_4b():
    config = load_config("paper")
    assert config.masks.image_size == (384, 128)
    assert (config.model.backbone, config.model.stripes, config.model.channel_sets, config.model.labels) == (
        "resnet50",
        3,
        3,
        8,
    )
    assert (config.loss.global_weight, config.loss.spc_weight, config.loss.seg_weight) == (0.75, 0.50, 1.50)
    assert config.loss.label_smoothing == 0.10
    assert (config.schedule.epochs, config.schedule.warmup_epochs, config.schedule.milestones) == (80, 10, (30, 60))
    assert (config.schedule.warmup_start_lr, config.schedule.base_lr) == (3e-5, 3e-4)
    assert (config.train.batch_size, config.train.flip, config.train.jitter) == (32, 0.5, 0.0)
    assert config.eval.tau == 0.15


def test_the_pcb_preset_is_its_papers():
    config = load_config("pcb")
    model, schedule, train = config.model, config.schedule, config.train
    assert (config.masks.image_size, model.backbone, model.stripes) == ((384, 128), "resnet50", 6)
    assert (model.local_head, model.head_channels, model.feature) == ("pcb", 256, "before_bn")
    assert (model.local_branch, model.global_branch, model.semantic_branch) == (True, False, False)
    assert (schedule.optimizer, schedule.momentum, train.weight_decay) == ("sgd", 0.9, 5e-4)
    assert (train.batch_size, train.flip, schedule.epochs) == (64, 0.5, 60)
    rates = [schedule.base_lr * schedule.gamma ** sum(e >= m for m in schedule.milestones) for e in (0, 39, 40, 59)]
    assert rates == pytest.approx([0.1, 0.1, 0.01, 0.01])
    assert (schedule.warmup_epochs, schedule.backbone_rate) == (0, 0.1)


def test_the_segmenter_preset_is_the_paper_without_features():
    paper, segmenter = load_config("paper"), load_config("segmenter")
    alone = dataclasses.replace(paper.model, local_branch=False, global_branch=False)
    assert segmenter == dataclasses.replace(paper, model=alone)


def test_a_file_starts_from_a_preset_and_the_command_line_wins(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text('base = "demo"\n[eval]\ntau = 0.3\n[schedule]\nepochs = 5\n')
    config = load_config(str(file), ("eval.tau=0.2", "eval.split=val", "masks.options.table=lip20", "train.seed=3"))
    assert config.model.backbone == "efficientnet_lite0"  # demo
    assert config.schedule.epochs == 5  # the file
    assert (config.eval.tau, config.eval.split, config.train.seed) == (0.2, "val", 3)  # the command line
    assert config.masks.options == {"table": "lip20"}


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("eval.tau=2", ["eval.tau = 2", r"\[0, 1\]"]),
        ("eval.thau=0.2", ["unknown option eval.thau", "tau"]),
        ("model.labels=3", ["model.labels = 3", "2, 5, 8"]),
        ("model.backbone=resnet101", ["resnet101", "resnet18, resnet34, resnet50"]),
        ("schedule.epochs=1.5", ["schedule.epochs = 1.5", "whole number"]),
        ("model.local_branch=1", ["model.local_branch = 1", "true or false"]),
        ("masks.image_size=[384, 100]", ["384, 100", "16"]),
        ("masks.image_size=384", ["a list"]),
        ("train.batch_size=1", ["train.batch_size = 1", "2 or more"]),
        ("eval", ["--set eval", "section.field=value"]),
        ("eval.tau=2", ["^--set eval.tau=2: eval.tau = 2", "sorn options eval.tau"]),
        ("train.epochs=3", [r"^--set train.epochs=3: unknown option train.epochs\. Did you mean schedule.epochs\?"]),
        ("epochs=3", [r"^--set epochs=3: unknown option 'epochs'\. Did you mean schedule.epochs\?"]),
        ("train.batchsize=8", [r"Did you mean train.batch_size\? See: sorn options train"]),
        ("train.lr=1", [r"Did you mean schedule.base_lr\?"]),
        ("train.image_size=[1, 2]", [r"Did you mean masks.image_size\?"]),
        ("model.part=6", [r"unknown option model.part\. Did you mean model.stripes\?"]),
        ("modle.stripes=6", [r"unknown section 'modle'\. Did you mean model.stripes\?"]),
        ("labeler.epoch=6", [r"Did you mean danet.epochs\?"]),
        ("masks.option.table=lip20", [r"Did you mean masks.options.table\?"]),
        ("train.qqqq=6", [r"unknown option train.qqqq\. Known in \[train\]: accumulate, "]),
        ("optimiser.lr=1", ["--set optimiser.lr=1", *SECTIONS]),
    ],
)
def test_bad_options_are_named_with_what_would_be_right(override, words):
    for word in words:
        with pytest.raises(UserError, match=word):
            load_config("paper", (override,))


def test_unknown_names_are_answered_with_the_known(tmp_path):
    with pytest.raises(UserError, match=r"no configuration 'papper'.*demo, finetune, paper"):
        load_config("papper")
    with pytest.raises(UserError, match=r"Did you mean synped\?"):
        load_config("sinped")
    file = tmp_path / "mine.toml"
    file.write_text("[optimiser]\nlr = 1\n")
    with pytest.raises(UserError, match=r"unknown section 'optimiser'.*masks, model"):
        load_config(str(file))
    for text, words in (
        ("[train]\nepochs = 3\n", r"mine.toml: unknown option train.epochs\. Did you mean schedule.epochs\?"),
        ("[tarin]\nepochs = 3\n", r"mine.toml: unknown section 'tarin'\. Did you mean train\? Sections: danet, masks"),
        ("tau = 0.2\n", r"mine.toml: unknown option 'tau'\. Did you mean eval.tau\?"),
        ("[eval]\ntau = 2\n", r"mine.toml: eval.tau = 2.0: expected .* Change \[eval\] there"),
    ):
        file.write_text(text)
        with pytest.raises(UserError, match=words):
            load_config(str(file))
    for base in (f'"{file}"', "5"):
        file.write_text(f"base = {base}\n")
        with pytest.raises(UserError, match="is no preset and no other file"):
            load_config(str(file))
    file.write_text("[eval\n")
    with pytest.raises(UserError, match="is not TOML"):
        load_config(str(file))
