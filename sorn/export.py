"""SORN as an exported network, and its parity with the original.

Exports of other projects failed silently: the same output for every image (deep-person-reid#302, #316), or images
normalised twice (fast-reid#177). So the exported graph takes images as they are stored and normalises them itself, and
`parity` compares the outputs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from sorn.batch import to_input
from sorn.config import SORNConfig
from sorn.network import SORN, SORNOutput
from sorn.unfilled import unfilled

FEATURE_TOLERANCE = 1e-4
# Of |f - f'| / |f| per feature vector: two cosines then differ by less than 2e-4. Float32 kernels differ by 1e-6.
VISIBILITY_TOLERANCE = 0.02
# Of a score v_p, a share of pixels: two classes may be equally likely, and then rounding decides.
DISTINCT = 10 * FEATURE_TOLERANCE
# Distance of two images' features, as a share of the longer; less than that is the same output for all images.


class ExportedNetwork(nn.Module):
    """SORN without classifiers, from uint8 images to features.

    Input: images [B, H, W, 3] uint8 RGB, as in the shards. Output, by name and as far as the network has it: "global"
    [B, N c'], "local" [B, P, c], "visibility" [B, P], as in SORNOutput. parts: keep the part branch, with "parts"
    [B, G, c] and "part_shares" [B, G].
    """

    def __init__(self, network: SORN, parts: bool = False) -> None:
        super().__init__()
        self.network = trimmed(network, parts).eval()
        self.names = output_names(network.config, parts)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        return named(self.network(to_input(image, self.network.normalisation)), self.names)


def output_names(config: SORNConfig, parts: bool = False) -> tuple[str, ...]:
    """Names of the network's outputs.

    Without a semantic branch all visibility scores are 1, and they are no output. parts: those of its part branch too.
    """
    present = {
        "global": config.global_branch,
        "local": config.local_branch,
        "visibility": config.local_branch and config.semantic_branch,
        "parts": parts and config.part_branch,
        "part_shares": parts and config.part_branch,
    }
    return tuple(name for name, there in present.items() if there)


def named(output: SORNOutput, names: tuple[str, ...]) -> dict[str, Tensor]:
    outputs = {
        "global": output.global_feature,
        "local": output.local_features,
        "visibility": output.visibility,
        "parts": output.part_features,
        "part_shares": output.part_shares,
    }
    return {name: outputs[name] for name in names}


def outputs_without_branch(network: SORN) -> dict[str, Tensor]:
    """Outputs of branches that are off, for one image, as in SORNOutput."""
    config, c = network.config, network.backbone.channels[-1]
    stripes = network.config.stripes if config.local_branch else 0
    every = {
        "global": torch.zeros(1, 0),
        "local": torch.zeros(1, 0, c),
        "visibility": torch.ones(1, stripes),
        "parts": torch.zeros(1, 0, c),
        "part_shares": torch.zeros(1, 0),
    }
    return {name: value for name, value in every.items() if name not in output_names(config, parts=True)}


def trimmed(network: SORN, parts: bool = False) -> SORN:
    """Copy of the network without its identity classifiers.

    parts: keep the part branch.
    """
    with unfilled():
        bare = SORN(replace(network.config, identities=0, part_branch=parts and network.config.part_branch))
    weights = network.state_dict()
    kept = {name: weights[name].clone(memory_format=torch.contiguous_format) for name in bare.state_dict()}
    bare.load_state_dict(kept, assign=True)
    return bare


def traced(network: ExportedNetwork, size: tuple[int, int]) -> torch.export.ExportedProgram:
    """Graph of the network for any batch size.

    height, width: size of the images, the same in every batch.
    """
    example = torch.zeros((2, *size, 3), dtype=torch.uint8)  # torch would take a batch of one as a constant
    with torch.no_grad():
        return torch.export.export(network, (example,), dynamic_shapes={"image": {0: torch.export.Dim("batch")}})


@dataclass(frozen=True)
class Parity:
    """Differences between an output of a copy and the original.

    They are computed over n images. largest: of |a - a'| over all numbers. relative: of |f - f'| / |f| over all feature
    vectors; nan for scores. distinct: distance of the two most similar images in the copy, divided by the longer
    vector; nan for scores. indicators: number of visibility indicators (Eq. 12) that the copy changes; 0 for features.
    """

    output: str
    images: int
    largest: float
    relative: float
    distinct: float
    indicators: int

    def failures(self) -> list[str]:
        """Differences beyond the tolerance, in words; nan never passes."""
        if self.output == "visibility":
            failures = [] if self.largest <= VISIBILITY_TOLERANCE else [f"scores differ by up to {self.largest:.3g}"]
            return failures + ([f"{self.indicators} visibility indicators differ"] if self.indicators else [])
        failures = []
        if not self.relative <= FEATURE_TOLERANCE:
            failures.append(f"features differ by {self.relative:.3g} of their length, more than {FEATURE_TOLERANCE:g}")
        if not self.distinct > DISTINCT:
            failures.append("different images give the same features")
        return failures


def parity(output: str, original: Tensor, copy: Tensor, tau: float) -> Parity:
    """Parity of one output with the original.

    original, copy: float32 [n, ...] of n different images in the same order. tau: threshold of Eq. 12. Raises
    ValueError for different shapes.
    """
    if original.shape != copy.shape:
        raise ValueError(f"output '{output}' has shape {list(copy.shape)}, not {list(original.shape)}")
    largest = float((original - copy).abs().max())
    if output == "visibility":
        changed = int(((original >= tau) != (copy >= tau)).sum())
        return Parity(output, len(copy), largest, float("nan"), float("nan"), changed)
    relative = (original - copy).norm(dim=-1) / original.norm(dim=-1)
    return Parity(output, len(copy), largest, float(relative.max()), least_distance(copy), 0)


def least_distance(features: Tensor) -> float:
    """Relative distance of the two most similar images.

    features: [n, ...]. The distance is |f - g| / max(|f|, |g|); nan where a feature is zero.
    """
    flat = features.flatten(1).double()
    length = flat.norm(dim=1)
    distance = torch.cdist(flat, flat, compute_mode="donot_use_mm_for_euclid_dist")
    first, second = torch.triu_indices(len(flat), len(flat), offset=1)
    shares = distance[first, second] / torch.maximum(length[first], length[second])
    return float(shares.min()) if (length > 0).all() else float("nan")
