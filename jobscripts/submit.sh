#!/bin/bash
# Campaign -> reduced model -> predictions, as jobs that wait for one another:
#
#   jobscripts/submit.sh PARTS DECK [OUTPUT]            (not with sbatch: it submits the jobs itself)
#
# The campaign is a job array of PARTS tasks; training starts when all of them have succeeded, prediction after that.
# When a task fails for good, the jobs that wait for it are taken out of the queue; calling this again goes on: what is
# solved stays. SBATCH_OPTIONS="--account=me --ntasks-per-node=64" adds options to all jobs.
set -euo pipefail
[[ $# -ge 2 && $1 =~ ^[1-9][0-9]*$ ]] || { echo "usage: $0 PARTS DECK [OUTPUT]" >&2; exit 2; }
export PARTS=$1
deck=$2 output=${3:-out}
scripts=$(dirname "${BASH_SOURCE[0]}")
[[ -e $deck ]] || { echo "no deck $deck" >&2; exit 2; }
export TESSERA=${TESSERA:-$PWD/target/release/tessera}
[[ -x $TESSERA ]] || { echo "no program at $TESSERA: call this in the repository or set TESSERA" >&2; exit 2; }
mkdir -p "$output"

read -ra more <<<"${SBATCH_OPTIONS:-}"
# submit LOG AFTER SCRIPT...: prints the job's number
submit() {
  local log=$1 after=$2 job
  shift 2
  job=$(sbatch --parsable --output="$output/$log" ${after:+--dependency="afterok:$after" --kill-on-invalid-dep=yes} "${more[@]}" "$@")
  echo "${job%%;*}" # a federation adds the cluster's name
}

campaign=$(submit %x-%A_%a.log "" --array="1-$PARTS" "$scripts/campaign.sh" "$deck" --output "$output")
train=$(submit %x-%j.log "$campaign" --job-name=train "$scripts/reduce.sh" train "$deck" --output "$output")
predict=$(submit %x-%j.log "$train" --job-name=predict "$scripts/reduce.sh" predict "$output/model.h5" --samples 100 --fields --constraint conservation --output "$output")
echo "submitted: campaign $campaign, train $train, predict $predict; results and logs in $output/"
