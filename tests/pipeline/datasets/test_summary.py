"""summary.json, as later stages read it."""

import pytest

from pipeline.datasets.summary import read_summary
from pipeline.errors import UserError
from pipeline.runs.layout import Paths


@pytest.mark.parametrize("content", ["{", "[]", "3", "{}", '{"root": 1}', "[" * 100_000])
def test_a_damaged_summary_is_named_with_the_command_that_makes_it(tmp_path, content):
    paths = Paths("mine", "import", tmp_path, tmp_path)
    paths.data_summary.parent.mkdir(parents=True)
    paths.data_summary.write_text(content)
    with pytest.raises(UserError, match=r"summary\.json cannot be read: .*Run: make data DATASET=mine"):
        read_summary(paths.data_summary, paths.dataset)
