"""Where the pictures of a mapped bank lay."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest
from record_tables import table_of_pairs

from pipeline.datasets.records import ImageFile, ImageRecord
from pipeline.datasets.records_file import write_records
from pipeline.features.mapped import MappedBank
from sorn.features import FeatureBank


@pytest.mark.parametrize("folder", ["eval", "eval-from-other-none", "experiments/small/eval"])
def test_the_features_of_an_evaluation_lead_to_its_pictures(tmp_path: Path, folder: str) -> None:
    record = ImageRecord("query/a.jpg", tmp_path / "a.jpg", 1, 1, "query")
    write_records(tmp_path / "my-set/data/records.csv", table_of_pairs([(record, ImageFile(1, 1, "s", 16, 32))]))
    features = tmp_path / "my-set-none" / folder / "features.h5"
    features.parent.mkdir(parents=True)
    features.touch()
    bank = MappedBank(features, cast(FeatureBank, None), {})
    assert bank.picture("query/a.jpg") == tmp_path / "a.jpg" and bank.picture("query/b.jpg") is None
