#!/bin/bash
# All levels side by side: bash input/experts/levels.sh [ranks]; tessera and python are those of the PATH.
set -euo pipefail
here=$(dirname "$0")
ranks=${1:-2}
run() { mpirun -n "$ranks" tessera "$@"; }
run campaign "$here/plate.toml"
python "$here/guess.py" out/dataset.h5 out/guess.h5
for level in none boundary conservation coupled exact; do
  run constrain "$here/plate.toml" out/guess.h5 --level "$level" --truth -o "out/$level"
done
tessera-plot repair out/{boundary,conservation,coupled,exact}/constrain.h5 -o "$here/levels.png" --small
python "$here/pictures.py" out/guess.h5 out 0 "$here/errors.png"
