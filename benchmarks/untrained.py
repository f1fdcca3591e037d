"""Rank-1 and mAP of backbones as ImageNet left them: the floor of every training.

The images of a run's masks stage pass through the backbone, and its last map is averaged over stripes and over the
whole. Stripes are compared by the mean of their cosines. Nothing is learnt and nothing is chosen.
Run: python benchmarks/untrained.py runs/synped-ground_truth [--backbone NAME ...] [--stripes 6] [--batch 32]
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import adaptive_avg_pool2d, normalize

from pipeline.runtime.progress import Progress
from pipeline.shards.dataset import ShardDataset
from pipeline.training.imagenet import load_imagenet
from sorn.backbone import Backbone
from sorn.backbones import build_backbone
from sorn.batch import to_input
from sorn.features import FeatureBank
from sorn.metrics import Evaluation, Metrics, relevance
from sorn.ranking import rank
from sorn.rules import Rule

BACKBONE = "efficientnet_lite0"  # whose weights come with the requirements


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="folder of a run whose masks stage has finished")
    parser.add_argument("--backbone", action="append", help=f"default: {BACKBONE}; repeatable")
    parser.add_argument("--stripes", type=int, default=6)
    parser.add_argument("--batch", type=int, default=32)
    args = parser.parse_args()
    splits = [ShardDataset(args.run / "masks" / "index.json", split) for split in ("query", "gallery")]
    for name in args.backbone or [BACKBONE]:
        backbone = build_backbone(name)
        load_imagenet(backbone, name, "backbone", None)
        query, gallery = (features(backbone.eval(), data, args.stripes, args.batch) for data in splits)
        found = {
            "whole": metrics(query, gallery, Rule("global")),
            "whole and stripes": metrics(query, gallery, Rule("global+local")),
            "stripes": metrics(stripes_of(query), stripes_of(gallery), Rule("global+local")),
        }
        for variant, one in found.items():
            print(f"{name:20} {variant:17} rank-1 {100 * one.rank(1):5.1f}  mAP {100 * one.mean_ap:5.1f}", flush=True)


@torch.inference_mode()
def features(backbone: Backbone, data: ShardDataset, stripes: int, batch: int) -> FeatureBank:
    """Means of the last map over the whole, float32 [n, C], and over stripes [n, P, C]; all stripes are visible."""
    wholes, parts = [], []
    with Progress(len(data), f"features of {data.split}") as progress:
        for chosen in np.array_split(np.arange(len(data)), -(-len(data) // batch)):
            images = data.read(chosen, *data.empty(len(chosen))).image
            last = backbone(to_input(images, backbone.normalisation)).block4
            wholes.append(last.mean(dim=(2, 3)).numpy())
            parts.append(normalize(adaptive_avg_pool2d(last, (stripes, 1))[..., 0], dim=1).transpose(1, 2).numpy())
            progress.advance(len(chosen))
    visible = np.ones((len(data), stripes), np.float32)
    return FeatureBank(np.concatenate(wholes), np.concatenate(parts), visible, data.pid, data.camid, data.name)


def stripes_of(bank: FeatureBank) -> FeatureBank:
    return dataclasses.replace(bank, global_=np.empty((len(bank), 0), np.float32))


def metrics(query: FeatureBank, gallery: FeatureBank, rule: Rule) -> Metrics:
    evaluation = Evaluation(relevance(query.pid, query.camid, gallery.pid, gallery.camid))
    for _ in rank(query, gallery, {rule: evaluation}):
        pass
    return evaluation.metrics()


if __name__ == "__main__":
    main()
