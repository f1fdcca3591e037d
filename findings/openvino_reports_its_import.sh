#!/usr/bin/env bash
# `import openvino` alone writes ~/intel/openvino_ga_cid, a number of this user that stays, and reports the import over
# the network; nobody is asked. So does `import nncf`. Neither happens where the variable CI is "true" at the import: it
# is the one switch that needs no second program (opt_in_out of openvino_telemetry) and no answer kept in the home
# folder. A library that imports openvino so makes its users' machines report. This shows the file; it looks at no
# traffic. Observed 2026-12-01 with OpenVINO 2026.4.1 and openvino-telemetry 2025.2.0.
# pipeline/runtime/unreported.py sets the variable while it imports them.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check openvino==2026.4.1 openvino-telemetry==2025.2.0 numpy==2.4.6
mkdir "$work/reported" "$work/silent"
env -u CI HOME="$work/reported" "$work/venv/bin/python" -c "import openvino"
CI=true HOME="$work/silent" "$work/venv/bin/python" -c "import openvino"
echo "without CI: $(cd "$work/reported" && find . -type f | sort | tr '\n' ' ')"
echo "with CI:    $(cd "$work/silent" && find . -type f | sort | tr '\n' ' ')"
test -f "$work/reported/intel/openvino_ga_cid" && test -z "$(ls -A "$work/silent")"
