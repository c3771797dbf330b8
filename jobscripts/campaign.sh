#!/bin/bash
# A campaign in one job, whose ranks work on many samples at a time, or as a job array, one task for each part of its
# samples:
#
#   sbatch jobscripts/campaign.sh DECK [more arguments]                    one job
#   sbatch --nodes=16 jobscripts/campaign.sh DECK                          a larger one
#   sbatch jobscripts/campaign.sh DECK --set campaign.group_ranks=4        4 ranks on each sample; 'auto' measures
#   sbatch --array=1-8 jobscripts/campaign.sh DECK                         an array, as many parts as --array says
#   sbatch --array=1-100%10 jobscripts/campaign.sh DECK                    100 parts, no more than 10 at a time
#   PARTS=100 sbatch --array=7,12 jobscripts/campaign.sh DECK              parts 7 and 12 of 100 once more
#
# Ranks in groups solve one sample each and take the next as soon as they are done, so the job is busy to the last
# sample; a group without work at the end waits at most for one sample. Small samples stay on one rank, larger ones get
# one for each 100,000 unknowns, unless campaign.group_ranks says otherwise.
#
# Part K of N goes to its own dataset-K-of-N.h5; `tessera train DECK` takes all of them. Two minutes before the time
# limit Slurm signals this script, which passes the signal on; the program finishes the present samples and ends with
# exit code 75; the job, or task, goes back to the queue under the same number and, when its turn comes again, goes on
# with the samples that are left. The same happens when a node fails (--requeue). Follow it with `squeue --me --array`
# and `tail -f campaign-JOB.log`; `scancel JOB` ends it, and submitting it again goes on.
#SBATCH --job-name=campaign
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=32
#SBATCH --cpus-per-task=1
#SBATCH --time=08:00:00
#SBATCH --signal=B:USR1@120        # B: to this script alone; seconds before the limit: more than a sample takes
#SBATCH --requeue
#SBATCH --open-mode=append         # one log, however often the job goes back to the queue
#SBATCH --output=%x-%j.log         # for an array better --output=%x-%A_%a.log: job and task
##SBATCH --account=...             # your site's names; ## is a comment, # with SBATCH is not
##SBATCH --partition=...
set -uo pipefail
[[ $# -gt 0 ]] || { echo "usage: sbatch $0 DECK [ARGUMENT ...]" >&2; exit 2; }

# Which part; an array of some tasks only does not know how many there are in all.
part=() what="job ${SLURM_JOB_ID:-none}" job=${SLURM_JOB_ID:-}
if [[ -n ${SLURM_ARRAY_TASK_ID:-} ]]; then
  if [[ -z ${PARTS:-} && ( $SLURM_ARRAY_TASK_MIN != 1 || $SLURM_ARRAY_TASK_COUNT != "$SLURM_ARRAY_TASK_MAX" ) ]]; then
    echo "some tasks only: say of how many parts, as in  PARTS=100 sbatch --array=7,12 $0 DECK" >&2
    exit 2
  fi
  part=(--part "$SLURM_ARRAY_TASK_ID/${PARTS:-$SLURM_ARRAY_TASK_MAX}")
  job=${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID # this task alone: the number of one task is that of the array
  what="part ${part[1]}, task $job"
fi

# What Tessera was built with, one of:
# module load openmpi petsc hdf5-mpi
# spack load petsc hdf5
# image=tessera.sif                # and below: "${launch[@]}" apptainer exec "$image" tessera campaign "${part[@]}" "$@"

# Slurm runs a copy of this file, so the repository is where the job was submitted, unless told otherwise.
tessera=${TESSERA:-${SLURM_SUBMIT_DIR:-$PWD}/target/release/tessera}
[[ -x $tessera ]] || { echo "no program at $tessera: submit from the repository or set TESSERA" >&2; exit 2; }

export OMP_NUM_THREADS=1                   # ranks use the cores; BLAS must not start threads on top
export HDF5_USE_FILE_LOCKING=FALSE         # network file systems often have no locks

# srun knows the job's nodes and binds ranks to cores; without PMIx in Slurm mpirun starts the ranks. Both pass SIGUSR1
# on to them. LAUNCH="mpirun --oversubscribe" chooses another way.
if [[ -n ${LAUNCH:-} ]]; then
  read -ra launch <<<"$LAUNCH"
elif srun --mpi=list 2>&1 | grep -q pmix; then
  launch=(srun --mpi=pmix --cpu-bind=cores)
else
  launch=(mpirun)
fi

echo "== $what, requeued ${SLURM_RESTART_COUNT:-0} times, on ${SLURM_JOB_NODELIST:-this machine}, $(date)"
"${launch[@]}" "$tessera" campaign ${part[@]+"${part[@]}"} "$@" & # bash before 4.4: an empty list counts as unset
program=$!
# In the background, because the shell handles signals only between commands or while it waits; a signal ends the waiting.
trap 'echo "== time is nearly up: no further sample"; kill -USR1 $program; asked=yes; signalled=yes' USR1
asked=no
signalled=yes
while [[ $signalled == yes ]]; do
  signalled=no
  wait "$program"
  code=$?
done

# The signal itself ends a program that is not up yet (128 + 10): nothing is lost.
[[ $code == 138 && $asked == yes ]] && code=75
if [[ $code == 75 && ${SLURM_RESTART_COUNT:-0} -ge ${MAX_LINKS:-100} ]]; then
  echo "== stopped between samples after ${MAX_LINKS:-100} links: submit again to go on" >&2
elif [[ $code == 75 ]]; then
  echo "== stopped between samples: back to the queue"
  scontrol requeue "$job"                  # where requeueing is forbidden: sbatch --dependency=afterany:... once more
  exit
fi
exit "$code"
