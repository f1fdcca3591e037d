"""Content digests of samples, independent of the files that store them.

Stages and readers compare them.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter

import numpy as np

from pipeline.io.digest_column import DigestColumn
from pipeline.io.texts import digest_list
from sorn.sample import Sample, Status


class ShardContent:
    """Content of a sequence of samples: digests, status counts, unreadable names.

    The digest covers image, mask, pid, camid, name and status, but not the labeler: equal labels of another labeler are
    equal content. The other fields of a sample, above all its keypoints, have a digest of their own, because training
    does not depend on them.
    """

    def __init__(self) -> None:
        self.items = DigestColumn()
        self.detections = DigestColumn()
        self.unreadable: list[str] = []
        self.status: Counter[str] = Counter()
        self.foreground = 0.0  # sum over labelled images of the share of pixels that are not background

    def add(self, sample: Sample) -> None:
        facts = [sample.name, sample.pid, sample.camid, int(sample.status), sample.mask.shape]
        digest = hashlib.sha256(json.dumps(facts, separators=(",", ":")).encode())
        digest.update(sample.image.data)
        digest.update(sample.mask.data)
        self.items.append(digest.digest())
        seen = np.array([sample.people, *sample.box, sample.score], np.float32)
        self.detections.append(hashlib.sha256(seen.tobytes() + sample.keypoints.tobytes()).digest())
        self.status[sample.status.name.lower()] += 1
        if sample.status == Status.UNREADABLE:
            self.unreadable.append(sample.name)
        self.foreground += np.count_nonzero(sample.mask) / sample.mask.size

    def extend(self, other: ShardContent) -> None:
        self.items.extend(other.items)
        self.detections.extend(other.detections)
        self.unreadable += other.unreadable
        self.status += other.status
        self.foreground += other.foreground

    @property
    def digest(self) -> str:
        return digest_list(self.items)

    @property
    def detection_digest(self) -> str:
        """Digest of people, box, score and keypoints."""
        return digest_list(self.detections)

    @property
    def foreground_share(self) -> float:
        """Mean share of foreground pixels over the images that a labeler processed.

        It is 0 when there is no such image.
        """
        unseen = len(self.unreadable) + self.status[Status.UNLABELED.name.lower()]
        return self.foreground / max(len(self.items) - unseen, 1)
