#!/bin/bash
# Campaign -> reduced model -> predictions as three Slurm jobs, each waiting for the one before:
#
#   jobscripts/campaign.sh DECK [OUTPUT]        (not with sbatch: it submits the jobs itself)
#
# A campaign that ran out of time goes on where it stopped when this is called again.
set -euo pipefail
[[ $# -gt 0 ]] || { echo "usage: $0 DECK [OUTPUT]" >&2; exit 2; }
deck=$1 output=${2:-out}
tessera=${TESSERA:-$PWD/target/release/tessera}
[[ -e $deck ]] || { echo "no deck $deck" >&2; exit 2; }
[[ -x $tessera ]] || { echo "no program at $tessera: call this in the repository or set TESSERA" >&2; exit 2; }
mkdir -p "$output"

# Options of all three jobs: add --account, --partition and what else your site wants, here or in SBATCH_OPTIONS
# (later ones win: SBATCH_OPTIONS="--account=me --ntasks-per-node=64").
read -ra more <<<"${SBATCH_OPTIONS:-}"
common=(--parsable --ntasks-per-node=32 --cpus-per-task=1 --output="$output/%x-%j.log")

# What every job does before its own command. Add the modules that Tessera was built with.
prologue='set -euo pipefail
export OMP_NUM_THREADS=1 HDF5_USE_FILE_LOCKING=FALSE
launch=(mpirun); srun --mpi=list 2>&1 | grep -q pmix && launch=(srun --mpi=pmix)'

# submit NAME NODES TIME AFTER COMMAND...: prints the job's number
submit() {
  local name=$1 nodes=$2 time=$3 after=$4
  shift 4
  sbatch "${common[@]}" --job-name="$name" --nodes="$nodes" --time="$time" "${more[@]}" ${after:+--dependency="afterok:$after"} <<SCRIPT
#!/bin/bash
$prologue
"\${launch[@]}" $(printf '%q ' "$tessera" "$@")
SCRIPT
}

campaign=$(submit campaign 2 08:00:00 "" campaign "$deck" --output "$output")
train=$(submit train 2 01:00:00 "$campaign" train "$deck" --output "$output")
predict=$(submit predict 1 00:30:00 "$train" predict "$output/model.h5" --samples 100 --constraint conservation --output "$output")
echo "submitted: campaign $campaign, train $train, predict $predict; results and logs in $output/"
