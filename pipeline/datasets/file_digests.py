"""Digests of the contents of a dataset's files.

They do not change when files are copied, moved or touched.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from pipeline.datasets.mask_files import listing_digest
from pipeline.io.digests import ContentDigest, digest_files
from pipeline.io.texts import Texts, digest_list


def files_digest(root: Path, files: Iterable[Path]) -> ContentDigest:
    """Digest of the names below `root` and the contents of existing files."""
    paths = Texts(map(str, files))
    names = (os.path.relpath(path, root).replace(os.sep, "/") for path in paths)
    content = digest_list([name, digest] for name, digest in zip(names, digest_files(paths), strict=True))
    return ContentDigest(content, lambda: listing_digest(root, map(Path, paths)))
