"""Numbers that a run gave to the names of persons and cameras."""

from __future__ import annotations

from pipeline.datasets.csv_list import EarlierIds
from pipeline.datasets.id_numbers import EarlierNumbers
from pipeline.datasets.records_file import read_records
from pipeline.datasets.summary import read_summary
from pipeline.errors import UserError
from pipeline.runs.layout import Paths

MAKE = "make data"


def earlier_ids(paths: Paths) -> EarlierIds:
    """Numbers of the last records.csv; none without it and its summary."""
    try:
        names = read_summary(paths.data_summary, MAKE).names
        records = read_records(paths.records, MAKE)
    except UserError:
        return EarlierIds()
    pid, camid = (EarlierNumbers.of(records, *of) for of in (("pid", names.pids), ("camid", names.camids)))
    return EarlierIds(pid, camid)
