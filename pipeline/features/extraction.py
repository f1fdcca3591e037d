"""Feature extraction of stage 3: checkpoint and shards -> features.h5.

Features depend only on the checkpoint, the images and their keypoints. So another threshold, protocol, picture or
source of visibility scores starts from features.h5. An external segmenter adds its scores to the existing features.
These scores stay until another segmenter is configured or the features are extracted again.

Features and scores are computed in chunks (pipeline.features.chunks). Processes of torchrun share the chunks, and a
killed extraction continues with the missing ones.
"""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from pipeline.errors import UserError, first_names
from pipeline.features import bank_values, store
from pipeline.features.chunks import Chunks
from pipeline.features.equal_pictures import unite_equal_pictures
from pipeline.features.external_segmenter import Segmenter, find_segmenter
from pipeline.features.int8.prepare import StoredInt8
from pipeline.features.network import Inference
from pipeline.features.placing import in_place, second_views, usual_width
from pipeline.io.disk import require_space
from pipeline.io.documents import to_json
from pipeline.io.files import digest_file, digest_json
from pipeline.io.hdf5 import OutOfReach
from pipeline.runs.checkpoint_info import CheckpointInfo
from pipeline.runs.config import EITHER, EvalConfig
from pipeline.runs.layout import FEATURES, Paths
from pipeline.runs.replacement import link
from pipeline.runtime import distributed
from pipeline.runtime.arithmetic import INT8, described
from pipeline.runtime.progress import progress
from pipeline.shards.dataset import ShardDataset
from sorn.batch import Batch
from sorn.branches import MASK_SCALE
from sorn.config import STRIDE
from sorn.features import Features, Views
from sorn.network import SORN
from sorn.visibility import segmenter_visibility

logger = logging.getLogger(__name__)

EXAMPLES = 256
# Random queries whose maps and parts are kept for pictures and part scores, the same for every protocol.
EXTRACTION_VERSION = 3
# Increased when features.h5 changes for the same checkpoint and images.
NAMED = 3  # images in a warning
FLOAT32 = 4  # bytes


@dataclass(frozen=True)
class Extraction:
    """Feature extraction of one evaluation.

    paths: of features.h5, its chunks and the checkpoint. trained: description of the checkpoint. query, gallery: the
    images. options: precision, images per batch, and the external segmenter whose scores are added. device: as in
    --device. sizes: name -> height and width of its file in pixels, where pictures are placed. file: name of the
    feature bank. explained: number of random queries whose maps and parts are kept. int8: the int8 network, for that
    precision. Raises UserError as `find_segmenter` does.
    """

    paths: Paths
    trained: CheckpointInfo
    query: ShardDataset
    gallery: ShardDataset
    options: EvalConfig
    device: str = "auto"
    sizes: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    file: str = FEATURES
    explained: int = EXAMPLES
    int8: StoredInt8 | None = None

    def banks(self) -> store.Banks | None:
        """Banks of features.h5, extracted now if necessary.

        The processes of torchrun share the work: process 0 gets the banks, the others None. Raises UserError for images
        of another size than the segmenter was trained on, and for norms adapted to a gallery of one image.
        """
        if self.segmenter is not None:
            self.segmenter.require_size(self.query.image_size)
        if self.options.adapt_norms and len(self.gallery) < 2:
            wrong = f"eval.adapt_norms takes means and variances over the gallery, which has {len(self.gallery)} image"
            raise UserError(wrong, "Leave it out: --set eval.adapt_norms=false.")
        banks = self._kept() if distributed.here().number == 0 else None
        if not distributed.meet(value=banks is not None):
            banks = self._extracted()
        if self.segmenter is not None:
            scored = banks is not None and self.segmenter.made(banks.attrs)
            if not distributed.meet(value=scored):
                banks = self._segmented(self.segmenter, banks)
        if banks is not None:
            self._warn_of_zeros(banks)
            if self.options.place == EITHER:
                cut = len(banks.query.second.of) if banks.query.second else 0
                logger.info(f"eval: {cut:,} of {len(banks.query):,} queries are cut off, and have two views")
        return banks

    @cached_property
    def segmenter(self) -> Segmenter | None:
        """External segmenter of `eval.segmenter`."""
        return find_segmenter(self.options.segmenter)

    @cached_property
    def checkpoint(self) -> str:
        """sha256 of the weights."""
        return digest_file(self.paths.checkpoint)

    @cached_property
    def fingerprint(self) -> str:
        """Fingerprint of everything that the features depend on."""
        splits = [data.index.splits[data.split] for data in self._sides]
        images = [split.digest for split in splits]
        joints = [] if self.query.index.pose is None else [split.detection_digest for split in splits]
        made = [EXTRACTION_VERSION, self.checkpoint, images, joints, self.options.precision, self.explained]
        placed = [self.sizes.get(str(name)) for data in self._sides for name in data.name] if self.options.place else []
        made += [self.int8.record.digest] if self.int8 else []
        ways = (name if on is True else f"{name}: {on}" for name, on in sorted(self._ways.items()))
        return digest_json([*made, *ways, *placed])

    @property
    def _place(self) -> Path:
        return self.paths.folder("eval") / self.file

    @property
    def _settled(self) -> Path:
        return self.paths.settled.folder("eval") / self.file

    @property
    def _ways(self) -> dict[str, bool | str]:
        """Options that change the features and are not off; finished banks name none."""
        ways = {"flip": self.options.flip, "adapt_norms": self.options.adapt_norms, "place": self.options.place}
        return {name: on for name, on in ways.items() if on}

    @property
    def _sides(self) -> tuple[ShardDataset, ShardDataset]:
        return self.query, self.gallery

    def keep(self) -> None:
        """Existing features.h5 with the same fingerprint, kept unread for evaluations to come."""
        path = self._existing()
        if path is not None and path != self._place:
            link(path, self._place)

    def _existing(self) -> Path | None:
        """Existing features.h5 with the same fingerprint, else None.

        A damaged file is named in a warning and counts as missing.
        """
        path = self._place if self._place.is_file() else self._settled  # of the evaluation that this one replaces
        if not path.is_file():
            return None
        try:
            return path if store.read_attrs(path).get("fingerprint") == self.fingerprint else None
        except OutOfReach:
            raise
        except UserError as error:
            logger.warning(f"eval: {error.wrong}; extracting again")
            return None

    def _kept(self) -> store.Banks | None:
        """Banks of an existing features.h5 with the same fingerprint, else None."""
        path = self._existing()
        if path is None:
            return None
        try:
            banks = store.read_banks(path)
        except OutOfReach:
            raise
        except UserError as error:
            logger.warning(f"eval: {error.wrong}; extracting again")
            return None
        logger.info(f"eval: {path} holds the features of this checkpoint and these images; not extracting again")
        if path != self._place:
            link(path, self._place)
        return banks

    def _extracted(self) -> store.Banks | None:
        """Extracted banks, with maps and parts of some queries; None in all processes but the first."""
        path = self._place
        inference, flip = self._inference(self.paths.checkpoint, self.trained, self.int8), self.options.flip
        size, device, precision = inference.batch_size, inference.device, inference.precision
        splits, backbone = " and ".join(data.split for data in self._sides), self.trained.model.backbone
        distributed.say(f"eval: features of {splits} by {backbone} in {described(precision, device)}")
        if self.options.adapt_norms:
            inference.adapt(len(self.gallery), lambda chosen: _read(self.gallery, chosen, inference))

        usual = usual_width([self.sizes[str(name)] for name in self.gallery.name if str(name) in self.sizes])

        def look(data: ShardDataset, chosen: np.ndarray) -> Views:
            batch, sizes = _read(data, chosen, inference), [self.sizes.get(str(name)) for name in data.name[chosen]]
            if self.options.place is True:
                batch = in_place(inference, batch, sizes, usual)
            found = Views.alone(inference.features(batch, 0, flip))
            if self.options.place != EITHER or data is not self.query:
                return found
            moved, cut = second_views(inference, batch, sizes, usual)
            if not len(cut):
                return found
            return found._replace(moved=moved, second=inference.features(cut, size, flip))

        computed = digest_json([self.fingerprint, precision, size])
        chunks = Chunks(self.paths, computed, self._sides, "features")
        require_space(path, self._bytes(inference.network) - chunks.bytes)
        chunks.make(inference, look, size)
        if distributed.here().number:
            return None
        unite_equal_pictures(chunks.chunks, size)
        examples = self._examples(inference, size) if self.explained else None
        made_from = {"model": self.trained.stored_model, "precision": precision, **self._ways}
        attrs = {"fingerprint": self.fingerprint, "checkpoint_sha256": self.checkpoint}
        if self.int8:
            made_from["int8"] = self.int8.record.digest
            attrs["int8"] = json.dumps(to_json(self.int8.record), sort_keys=True)
        attrs["config"] = json.dumps(made_from, sort_keys=True)
        require_space(path, chunks.bytes + (examples.maps.nbytes + examples.parts.nbytes if examples else 0))
        store.join_banks(path, chunks.rows(self.query), chunks.rows(self.gallery), attrs, examples)
        chunks.remove()
        return store.read_banks(path)

    def _inference(self, weights: Path, about: CheckpointInfo, int8: StoredInt8 | None = None) -> Inference:
        options = self.options
        precision = "auto" if options.precision == INT8 else options.precision  # of a segmenter
        return Inference(weights, about.model, self.device, precision, options.batch_size, int8.graph if int8 else None)

    def _bytes(self, network: SORN) -> int:
        """Bytes of the chunks and of the file that they are joined to."""
        height, width = self.query.image_size
        positions, config = (height // STRIDE) * (width // STRIDE), network.config
        maps = 2 * positions * config.channel_sets if config.global_branch else 0  # float16
        parts = MASK_SCALE**2 * positions if config.semantic_branch else 0
        images = sum(map(len, self._sides)) + (len(self.query) if self.options.place == EITHER else 0)
        features = FLOAT32 * network.feature_width * images
        return 2 * features + min(self.explained, len(self.query)) * (maps + parts)

    def _examples(self, inference: Inference, size: int) -> store.Examples:
        """Maps and predicted parts of some queries, for pictures and part scores."""
        query = self.query

        def explain(chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            batch = _read(query, chosen, inference)
            maps, parts = inference.explain(batch)
            return maps.astype(np.float16), parts

        chosen = np.sort(np.random.default_rng(0).permutation(len(query))[: self.explained])
        batches = [(chosen[first : first + size],) for first in range(0, len(chosen), size)]
        outputs = list(progress(inference.run(explain, batches), len(chosen), "maps and parts", step=size))
        maps, parts = (np.concatenate(field) for field in zip(*outputs, strict=True))
        return store.Examples(query.name[chosen], maps, parts)

    def _segmented(self, segmenter: Segmenter, banks: store.Banks | None) -> store.Banks | None:
        """Banks with the segmenter's scores of their stripes, also written to features.h5. banks: of process 0."""
        stripes = self.trained.model.stripes
        inference = self._inference(segmenter.weights, segmenter.about)
        size = inference.batch_size
        network, device, precision = inference.network, inference.device, inference.precision

        def look(data: ShardDataset, chosen: np.ndarray) -> Views:
            """Scores of the segmenter as visibility, with empty features."""
            scores = segmenter_visibility(network, [_read(data, chosen, inference)], stripes, device, precision)
            none = np.zeros((len(chosen), 0), np.float32)
            return Views.alone(Features(none, np.zeros((*scores.shape, 0), np.float32), scores, none[:, :, None], none))

        images = [data.index.splits[data.split].digest for data in self._sides]
        computed = digest_json([EXTRACTION_VERSION, segmenter.sha256, stripes, images, precision, size])
        chunks = Chunks(self.paths, computed, self._sides, "stripes")
        chunks.make(inference, look, size)
        if banks is None:
            return None
        query, gallery = (
            dataclasses.replace(
                bank, segmenter=np.concatenate([piece.visibility for piece in chunks.rows(data).pieces])
            )
            for bank, data in zip((banks.query, banks.gallery), self._sides, strict=True)
        )
        attrs = {**banks.attrs, "segmenter": segmenter.describe(precision)}
        store.write_banks(self._place, query, gallery, attrs, banks.examples)
        chunks.remove()
        return store.Banks(query, gallery, attrs, banks.examples)

    def _warn_of_zeros(self, banks: store.Banks) -> None:
        for side in store.SIDES:
            bank = getattr(banks, side)
            names = bank.name[bank_values.zero_images(bank)]
            if len(names):
                wrong = f"the features of {len(names)} {side} images are zero, so these are similar to no image"
                logger.warning(f"eval: {self._settled}: {wrong}: {first_names(names, NAMED)}")


def _read(data: ShardDataset, chosen: np.ndarray, inference: Inference) -> Batch:
    return data.read(chosen, *data.empty(len(chosen), pin=inference.on_gpu))
