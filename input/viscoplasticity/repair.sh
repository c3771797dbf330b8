#!/bin/bash
# A flight of the blade that was not solved, interpolated between eight that were, and repaired:
#
#   bash input/viscoplasticity/repair.sh [ranks]
#
# on a coarser mesh than that of the repository; gmsh, tessera and python are those of the PATH.
set -euo pipefail
here=$(dirname "$0")
ranks=${1:-1}
point=(t_gas=1360 speed=1120)
mkdir -p out
gmsh -3 -bin -format msh41 -setnumber size 6 -o out/blade.msh "$here/../blade/blade.geo" > out/gmsh.log
case=(--set "mesh.file=$PWD/out/blade.msh" --set output.frames=70 --set partition.experts=16)
run() { local command=$1; shift; mpirun -n "$ranks" tessera "$command" "$@"; }
run campaign "$here/blade.toml" "${case[@]}" --set campaign.design=sobol --set campaign.samples=8
run train "$here/blade.toml" "${case[@]}" --set rom.modes=8
run run "$here/blade.toml" "${case[@]}" "${point[@]/#/--set=parameters.}" -o out/run
python "$here/interpolate.py" out/dataset.h5 out/guess.h5 "${point[@]}"
repair() { run constrain "$here/blade.toml" out/guess.h5 "${case[@]}" --level "$2" "${@:3}" -o "out/$1"; }
repair boundary boundary
for modes in 4 8; do
  repair "coupled-$modes" coupled --basis out/model.h5 --modes "$modes"
done
repair coupled-0 coupled
repair exact exact
python "$here/compare.py" out/run/run.h5 out/guess.h5 out/{boundary,coupled-0,coupled-4,coupled-8,exact}/constrain.h5
