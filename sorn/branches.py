"""Local, global and semantic branch of SORN (Sections III-B to III-D)."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn

MASK_SCALE = 4  # the mask E is 4h x 4w (Section III-E)


def stripe_bounds(rows: int, count: int) -> list[tuple[int, int]]:
    """Row range [start, stop) of each of `count` horizontal stripes.

    The stripes are equally high if `count` divides `rows`, else as nearly as possible. Raises ValueError for more
    stripes than rows.
    """
    if count > rows:
        raise ValueError(f"{count} stripes do not fit into {rows} rows")
    edges = [round(stripe * rows / count) for stripe in range(count + 1)]
    return list(itertools.pairwise(edges))


def stripe_means(maps: Tensor, count: int) -> Tensor:
    """Mean over each stripe: maps [B, C, H, W] -> [B, count, C].

    `split` joins the gradients of the stripes into one map. Slices would each fill a whole map and add it.
    """
    sizes = [stop - start for start, stop in stripe_bounds(maps.shape[2], count)]
    return torch.stack([means(stripe) for stripe in torch.split(maps, sizes, dim=2)], dim=1)


def means(maps: Tensor) -> Tensor:
    """Mean over positions, [B, C, H, W] -> [B, C].

    For a channels_last input the gradient is channels_last from the start.
    """
    return maps.permute(0, 2, 3, 1).mean(dim=(1, 2))


def visibility_scores(part_logits: Tensor, stripes: int) -> Tensor:
    """Visibility scores v_p (Eq. 11): the share of foreground in each stripe.

    Part logits [B, K, 4h, 4w] -> float32 [B, stripes] in [0, 1].
    """
    return foreground_shares(part_logits.argmax(dim=1) != 0, stripes)  # label 0 is background


def foreground_shares(mask: Tensor, stripes: int) -> Tensor:
    """Visibility scores v_p of a foreground mask E.

    bool [B, 4h, 4w], true where the person is -> float32 [B, stripes] in [0, 1].
    """
    foreground = mask.float()
    rows = foreground.shape[1] // MASK_SCALE
    bounds = stripe_bounds(rows, stripes)  # of the feature map: a stripe's score is about what its feature saw
    return torch.stack([foreground[:, a * MASK_SCALE : b * MASK_SCALE].mean(dim=(1, 2)) for a, b in bounds], dim=1)


class LocalBranch(nn.Module):
    """Local branch: one feature and one identity classifier per stripe (Section III-B).

    P stripes: GAP -> BN -> f_local^p. With reduced > 0 the branch has the head of PCB (Sun et al., ECCV 2018, Section
    3): GAP gives G_p, and 1x1 convolution -> BN -> ReLU gives H_p with `reduced` channels. The stripes share the
    convolution and BN, as in the code of the PCB authors.
    """

    def __init__(self, channels: int, stripes: int, identities: int, bias: bool, reduced: int = 0) -> None:
        super().__init__()
        self.stripes = stripes
        self.reduce = _pcb_head(channels, reduced) if reduced else None
        self.norms = nn.ModuleList(nn.BatchNorm1d(channels) for _ in range(0 if reduced else stripes))
        self.classifiers = nn.ModuleList(
            identity_classifier(reduced or channels, identities, bias) for _ in range(stripes)
        )

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Pooled features, normalised features and identity logits of the stripes.

        features: T [B, c, h, w] -> pooled [B, P, c], normalised [B, P, c or reduced], logits [B, P, J].
        """
        pooled = stripe_means(features, self.stripes)
        if self.reduce is not None:
            normed = self.reduce(pooled.flatten(0, 1)).unflatten(0, pooled.shape[:2])
        else:
            normed = torch.stack([norm(pooled[:, p]) for p, norm in enumerate(self.norms)], dim=1)
        logits = torch.stack([classify(normed[:, p]) for p, classify in enumerate(self.classifiers)], dim=1)
        return pooled, normed, logits


class GlobalBranch(nn.Module):
    """Global branch: channel sets, aggregation maps and the global feature (Section III-C).

    There are N sets of c' channels. Only sums and means, all linear, follow the 1x1 convolution that gives T_g.
    GAP(T_g) is therefore the matrix of the convolution applied to GAP(T), and A_n (Eq. 2) is T projected on the sum of
    the set's weights. The numbers are the same, and the map [B, N c', h, w] is never computed.
    """

    def __init__(self, channels: int, sets: int, set_channels: int, identities: int, bias: bool, bound: float) -> None:
        super().__init__()
        self.sets, self.bound = sets, bound
        self.expand = nn.Conv2d(channels, sets * set_channels, kernel_size=1, bias=False)  # BN and Eq. 4 remove a bias
        # Each channel starts at the scale of T. A smaller start, with A_n at that scale, would keep the sigmoid from
        # saturating, but then the SPC loss pulls a set's channels into one direction, and the global feature is lost.
        # Here the bound keeps its slope instead.
        nn.init.normal_(self.expand.weight, std=channels**-0.5)
        self.norm = nn.BatchNorm1d(sets * set_channels)
        self.classifier = identity_classifier(sets * set_channels, identities, bias)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Pooled feature, normalised feature, identity logits and aggregation maps.

        features: T [B, c, h, w] -> pooled and normalised [B, N c'], logits [B, J], maps M_n [B, N, h, w] in (0, 1).
        """
        weight = self.expand.weight.flatten(1)  # [N c', c]
        pooled = nn.functional.linear(means(features), weight)
        normed = self.norm(pooled)
        set_weight = torch.unflatten(weight, 0, (self.sets, -1)).sum(dim=1)  # [N, c]
        aggregation = nn.functional.conv2d(features, set_weight[:, :, None, None])  # A_n, Eq. 2
        return pooled, normed, self.classifier(normed), normalised_maps(aggregation, self.bound)


def normalised_maps(aggregation: Tensor, bound: float) -> Tensor:
    """Normalised aggregation maps M_n (Eq. 3 and 4), [B, N, h, w] in (0, 1).

    M_n is the sigmoid of A_n around its mean. With bound > 0, a map whose centred values exceed the bound is scaled
    down to it, so that the sigmoid keeps a gradient. A map within the bound is exactly Eq. 4, and so is every map with
    bound = 0. The gradient includes the scale: it asks for another pattern, and for nothing more where the pattern is
    that of Eq. 5. If the gradient treated the scale as a constant, it would ask for larger values without end, and
    identities would hardly be learnt (docs/evidence.md).
    """
    centred = aggregation - aggregation.mean(dim=(2, 3), keepdim=True)
    if bound > 0:
        peak = centred.abs().amax(dim=(2, 3), keepdim=True)
        centred = centred * (bound / peak.clamp(min=bound))
    return centred.sigmoid()


class SemanticBranch(nn.Module):
    """Semantic branch: part logits of the image (Section III-D).

    Two 3x3 deconvolutions enlarge the maps of the backbone stages 2, 3 and 4.
    """

    def __init__(self, channels: tuple[int, int, int], width: int, labels: int) -> None:
        super().__init__()
        block2, block3, block4 = channels
        self.up1 = _deconvolution(block3 + block4, width)
        self.up2 = _deconvolution(width + block2, width)
        self.classify = nn.Conv2d(width, labels, kernel_size=1)

    def forward(self, block2: Tensor, block3: Tensor, block4: Tensor) -> Tensor:
        """Part logits [B, K, 4h, 4w].

        block2: [B, c2, 2h, 2w]. block3: [B, c3, h, w]. block4: [B, c, h, w].
        """
        x = self.up1(torch.cat([block3, block4], dim=1))  # [B, width, 2h, 2w]
        x = self.up2(torch.cat([x, block2], dim=1))  # [B, width, 4h, 4w]
        logits: Tensor = self.classify(x)
        return logits


def _deconvolution(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ConvTranspose2d(inputs, outputs, kernel_size=3, stride=2, padding=1, output_padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


def _pcb_head(channels: int, reduced: int) -> nn.Sequential:
    """PCB head, G_p [B, c] -> H_p [B, reduced].

    On one position, a 1x1 convolution is a linear layer.
    """
    reduce = nn.Linear(channels, reduced, bias=False)
    nn.init.kaiming_normal_(reduce.weight, mode="fan_out")  # as the authors' code
    return nn.Sequential(reduce, nn.BatchNorm1d(reduced), nn.ReLU())


def identity_classifier(features: int, identities: int, bias: bool) -> nn.Module:
    """One fully connected layer with small weights.

    identities: 0 for no classifier. Training then starts at the loss of a uniform guess.
    """
    if identities == 0:
        return nn.Identity()
    layer = nn.Linear(features, identities, bias=bias)
    nn.init.normal_(layer.weight, std=0.001)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer
