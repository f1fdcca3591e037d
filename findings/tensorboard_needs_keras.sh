#!/usr/bin/env bash
# tensorboard 2.16.0 and 2.16.1 require Keras for TensorFlow; 2.16.2 does not. A program that asks for "tensorboard>=2.16" to
# read and write scalars with PyTorch gets TensorFlow with them (2.16.0: nightly builds) wherever the lowest version is
# installed. Here requirements.txt asks for 2.16.2.
# Observed 2026-11-28 with pip, from the metadata of the wheels: 2.16.0 tf-keras-nightly; 2.16.1 tf-keras >=2.15.0; 2.16.2 none.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

keras_of() {  # the requirement on Keras of one version, "none" without
  python3 -m pip download --quiet --disable-pip-version-check --no-deps "tensorboard==$1"
  python3 - "$1" <<'PYTHON'
import glob, sys, zipfile
with zipfile.ZipFile(*glob.glob(f"tensorboard-{sys.argv[1]}-*.whl")) as wheel:
    (name,) = [name for name in wheel.namelist() if name.endswith(".dist-info/METADATA")]
    lines = wheel.read(name).decode().splitlines()
found = [line.split(": ", 1)[1] for line in lines if line.startswith("Requires-Dist:") and "keras" in line]
print(found[0] if found else "none")
PYTHON
}

status=0
expect() {
  got=$(keras_of "$1")
  echo "tensorboard $1: $got"
  [ "$got" = "$2" ] || { echo "  expected: $2"; status=1; }
}
expect 2.16.0 "tf-keras-nightly"
expect 2.16.1 "tf-keras >=2.15.0"
expect 2.16.2 "none"
exit $status
