"""The training in reports: what decided it in words, and its curves."""

from __future__ import annotations

from sample_report import REPORT, with_provenance

from pipeline.evaluation.training_curves import TrainingCurves
from pipeline.reports.evaluation.training_view import NO_CURVES, training_rows, training_view

TRAINING = {
    "model": {"backbone": "resnet50", "parts": 6, "channel_sets": 3},
    "schedule": {
        "epochs": 90,
        "base_lr": 0.0005,
        "warmup_epochs": 10,
        "warmup_start_lr": 1e-05,
        "milestones": [30, 60],
        "gamma": 0.1,
        "optimizer": "adam",
    },
    "train": {"batch_size": 64, "seed": 3, "init": "none", "weight_decay": 0.0},
    "image_size": [384, 128],
    "best": {"epoch": 70, "mAP": 0.5},
}


def test_a_training_in_words() -> None:
    rows = dict(training_rows(with_provenance(REPORT, training=TRAINING)))
    assert rows == {
        "network": "resnet50, 6 stripes, 3 channel sets, images of 384x128",
        "start": "random weights",
        "epochs": "90, the weights after epoch 70 are kept, the best on val",
        "learning rate": "0.0005, times 0.1 after epochs 30, 60, rising from 1e-05 until epoch 10",
        "optimizer": "adam, weight decay 0.0",
        "batch": "64 images",
        "seed": "3",
    }
    started = {
        "start": {"file": "r50.pth", "sha256": "ab" * 32, "source": "torchvision"},
        "schedule": {"base_lr": 0.1, "shape": "cosine", "epochs": 3},
    }
    rows = dict(training_rows(with_provenance(REPORT, training=started)))
    assert rows["start"] == "r50.pth of torchvision, sha256 abababababab..."
    assert rows["learning rate"] == "0.1, falling along a cosine"


def test_curves_are_shown_or_said_to_be_missing() -> None:
    report = with_provenance(REPORT, training=TRAINING)
    curves = TrainingCurves([0.0, 1.0], {"total": [3.0, 1.0]}, [0.1, 0.01], [1, 2], {"mAP": [0.1, 0.2]}, "epoch")
    view, bare = training_view(report, curves), training_view(report, None)
    assert view is not None and bare is not None
    assert [chart.title for chart in view.charts] == [
        "Losses of the training",
        "Learning rate",
        "Figures of the val split",
    ]
    assert view.note == "" and bare.note == NO_CURVES and bare.charts == []
    assert [name for name, _ in view.options] == ["model", "schedule", "train"]
    assert training_view(with_provenance(REPORT, training={}), curves) is None
