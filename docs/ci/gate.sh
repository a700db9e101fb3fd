#!/usr/bin/env bash
# Any CI that has a shell and Python 3.11: judge two files of predictions, paired by `id`.
# Exit code: 0 pass, 1 fail, 2 bad input, 3 inconclusive where that blocks, 4 not comparable.
set -euo pipefail
new=predictions/new.csv
released=predictions/released.csv
columns=(--label label --probability probability --group group --id id)
# Builds of PyTorch for CPUs are far smaller than those with CUDA.
export PIP_EXTRA_INDEX_URL="${PIP_EXTRA_INDEX_URL-https://download.pytorch.org/whl/cpu}"

"${PYTHON:-python3}" -m venv .tunefair
.tunefair/bin/python -m pip install --quiet tunefair==0.1.0

code=0
.tunefair/bin/tunefair gate --predictions "$new" --baseline-predictions "$released" \
  "${columns[@]}" --json gate/gate.json --junit gate/gate.xml --markdown gate/gate.md \
  --sarif gate/gate.sarif || code=$?
if [ "$code" -ne 2 ]; then
  .tunefair/bin/tunefair audit "$new" --compare "$released" "${columns[@]}" \
    --html gate/report.html || echo "the report was not written"
fi
exit "$code"
