"""One vector per image, for trackers, which compare by cosine."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from sorn.config import check, check_choice
from sorn.export import trimmed
from sorn.network import SORN, SORNOutput
from sorn.normalisation import IMAGENET

VECTORS = ("joined", "global")


def one_vector(found: SORNOutput, tau: float, vector: str = VECTORS[0]) -> Tensor:
    """Vectors of length 1 that stand for images, [B, D].

    tau: threshold of Eq. 12. vector: "joined" for the global feature and the stripes, D = Dg + P Dl; "global" for the
    global feature alone, D = Dg. In the joined vector each feature has length 1 before it is joined, and hidden stripes
    are zero. For two images that show the same stripes the cosine is Eq. 15; a stripe that only one of them shows makes
    it smaller.
    """
    whole = functional.normalize(found.global_feature, dim=1)
    if vector == "global":
        return whole
    shown = (found.visibility >= tau).to(whole.dtype)[..., None]
    stripes = functional.normalize(found.local_features, dim=2) * shown
    return functional.normalize(torch.cat([whole, stripes.flatten(1)], dim=1), dim=1)


class TrackerNetwork(nn.Module):
    """SORN from the input of trackers to one vector per image.

    Input: images [B, 3, H, W] float32 RGB of any size, normalised as for ImageNet (`sorn.normalisation.IMAGENET`). The
    graph resizes them to the size of the network and normalises them as its backbone wants. Output: "vector", float32
    [B, D], see `one_vector`. size: height, width of the network's images. Raises ValueError for the vector "global" of
    a network without a global branch.
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, network: SORN, size: tuple[int, int], tau: float, vector: str = VECTORS[0]) -> None:
        super().__init__()
        check_choice("vector", vector, VECTORS)
        check(vector == "joined" or network.global_ is not None, "vector", vector, "joined: there is no global branch")
        self.network, self.size, self.tau, self.vector = trimmed(network).eval(), size, tau, vector
        mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in network.normalisation)
        their_mean, their_std = (torch.tensor(values).view(1, 3, 1, 1) for values in IMAGENET)
        self.register_buffer("scale", their_std / std)
        self.register_buffer("shift", (their_mean - mean) / std)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        resized = functional.interpolate(images, self.size, mode="bilinear", align_corners=False)
        return {"vector": one_vector(self.network(resized * self.scale + self.shift), self.tau, self.vector)}


def traced_tracker(network: TrackerNetwork) -> torch.export.ExportedProgram:
    """Graph for any number and size of images."""
    dim = torch.export.Dim
    height, width = network.size
    example = torch.zeros((2, 3, height + 8, width + 16))  # another size than the network's own
    shapes = {"images": {0: dim("batch"), 2: dim("height"), 3: dim("width")}}
    with torch.no_grad():
        return torch.export.export(network, (example,), dynamic_shapes=shapes)
