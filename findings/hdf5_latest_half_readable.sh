#!/usr/bin/env bash
# A file that h5py with HDF5 2.0 writes with libver="latest" opens in HDF5 1.14, lists all its names, and gives some of
# its datasets. Those with compressed chunks, and all of type bool or complex, cannot be opened: KeyError, h5py's word
# for "no such name". So Group.get, which answers None for a name that is not there, answers None for a name that is: a
# program that treats features, masks or visibilities as optional goes on without them. Until HDF5 2.0 "latest" was
# format 1.14.
# Observed 2026-11-29, written by h5py 3.16.0, read by 3.14.0 (HDF5 1.14.6): 5 names listed; of "latest" and "v200" 3
# unreadable, for each get gives None; of "v114" none, nor with libver=("earliest", "v200").
# This program writes with libver fixed to a format that HDF5 1.10 reads, and says of a dataset that it cannot open that
# a newer HDF5 may have written it, not that the file is damaged (pipeline/io/hdf5.py).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
cd "$work"

with_h5py() {
  "$work/venv/bin/pip" install --quiet --disable-pip-version-check "h5py==$1" numpy==2.4.6
  "$work/venv/bin/python" -
}

with_h5py 3.16.0 <<'PYTHON'
import h5py
import numpy as np

FORMATS = {"v114": "v114", "latest": "latest", "v200": "v200", "earliest_to_v200": ("earliest", "v200")}
print(f"written by h5py {h5py.__version__}, HDF5 {h5py.version.hdf5_version}")
for name, bounds in FORMATS.items():
    with h5py.File(f"{name}.h5", "w", libver=bounds) as file:
        file["paths"] = ["a.jpg", "b.jpg"]
        file["pids"] = np.array([1, 2])
        file["visible"] = np.array([[True, False], [True, True]])
        file["spectrum"] = np.zeros(2, np.complex64)
        file.create_dataset("features", data=np.ones((100, 64), np.float16), chunks=(10, 64), compression="gzip")
PYTHON
with_h5py 3.14.0 <<'PYTHON'
import sys

import h5py

print(f"read by h5py {h5py.__version__}, HDF5 {h5py.version.hdf5_version}")
lost = {}
for name in ("v114", "latest", "v200", "earliest_to_v200"):
    with h5py.File(f"{name}.h5") as file:
        assert all(key in file for key in ("paths", "pids", "visible", "spectrum", "features")) and len(file) == 5
        lost[name] = [key for key in file if file.get(key) is None]
        for key in set(file) - set(lost[name]):
            file[key][:]
        why = set()
        for key in lost[name]:
            try:
                file[key]
            except KeyError as error:
                why.add(str(error).strip("'\""))
    print(f"  {name}: 5 names, get gives None for {lost[name]}", *sorted(why), sep="\n    ")
gone = ["features", "spectrum", "visible"]
sys.exit(0 if lost == {"v114": [], "latest": gone, "v200": gone, "earliest_to_v200": []} else 1)
PYTHON
