"""Networks from their options.

A backbone that cannot be had is a UserError. Needs no torch before a network is built.
"""

from __future__ import annotations

import importlib.util
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import UserError, did_you_mean
from pipeline.io.weights_metadata import require_normalisation
from sorn.config import TIMM, SORNConfig
from sorn.normalisation import Normalisation

if TYPE_CHECKING:
    from sorn.danet import DANet
    from sorn.network import SORN


def sorn_network(config: SORNConfig) -> SORN:
    """SORN with random weights.

    Raises UserError for a backbone that timm does not have, or has without the maps, and without timm.
    """
    from sorn.network import SORN

    with told_of_backbone("model.backbone", config.backbone):
        return SORN(config)


def danet_network(backbone: str, width: int = 0) -> DANet:
    """DANet with random weights.

    width: channels of the heads; 0 is a quarter of the backbone's. Raises UserError as `sorn_network` does.
    """
    from sorn.danet import DANet

    with told_of_backbone("danet.backbone", backbone):
        return DANet(backbone, width=width)


@contextmanager
def told_of_backbone(option: str, name: str) -> Iterator[None]:
    """UserError in place of what building a backbone raises."""
    try:
        yield
    except ValueError as error:
        raise UserError(f"{option} = {name}: {error}", _remedy(name.removeprefix(TIMM))) from error


def require_trained_normalisation(weights: Path, own: Normalisation) -> None:
    """Check of the normalisation of a checkpoint.

    Raises UserError if it was trained with another one than its network has today.
    """
    try:
        require_normalisation(weights, own)
    except ValueError as error:
        remedy = "Install the version of timm that stamp.json beside it names, or train again."
        raise UserError(f"{weights}: {error}", remedy) from error


def _remedy(network: str) -> str:
    if importlib.util.find_spec("timm") is None:
        return f"Run: {install_timm()}"
    try:
        import timm
    except ImportError:
        return f"Run: {install_timm()}"
    known = timm.list_models()
    meant = "" if network in known else did_you_mean(network, known).replace("mean ", f"mean {TIMM}")
    return f"{meant}A network that has them, for example: --set model.backbone=timm:mobilenetv4_conv_small"


def install_timm() -> str:
    """Command that installs timm for this Python."""
    return pip("'timm>=1.0.20'")


def pip(arguments: str) -> str:
    """Command that installs packages for this Python."""
    return f"{shlex.quote(sys.executable)} -m pip install {arguments}"
