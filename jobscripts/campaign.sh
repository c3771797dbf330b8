#!/bin/bash
# A campaign in one job, all ranks on each sample:  sbatch jobscripts/campaign.sh DECK [more arguments]
#
# Two minutes before the time limit Slurm signals this script, which passes the signal on; the program finishes the
# present sample and ends with exit code 75; the job goes back to the queue under the same number and, when its turn
# comes again, goes on with the samples that are left. The same happens when a node fails (--requeue). Follow it with
# `squeue --me` and `tail -f campaign-JOB.log`; `scancel JOB` ends it, and submitting it again goes on.
#SBATCH --job-name=campaign
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=32
#SBATCH --cpus-per-task=1
#SBATCH --time=08:00:00
#SBATCH --signal=B:USR1@120        # B: to this script alone; seconds before the limit: more than a sample takes
#SBATCH --requeue
#SBATCH --open-mode=append         # one log, however often the job goes back to the queue
#SBATCH --output=%x-%j.log
##SBATCH --account=...             # your site's names; ## is a comment, # with SBATCH is not
##SBATCH --partition=...
set -uo pipefail
[[ $# -gt 0 ]] || { echo "usage: sbatch $0 DECK [ARGUMENT ...]" >&2; exit 2; }

# What Tessera was built with, one of:
# module load openmpi petsc hdf5-mpi
# spack load petsc hdf5
# image=tessera.sif                # and below: "${launch[@]}" apptainer exec "$image" tessera campaign ...

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

echo "== job ${SLURM_JOB_ID:-none}, requeued ${SLURM_RESTART_COUNT:-0} times, on ${SLURM_JOB_NODELIST:-this machine}, $(date)"
"${launch[@]}" "$tessera" campaign "$@" &
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
  scontrol requeue "$SLURM_JOB_ID"         # where requeueing is forbidden: sbatch --dependency=afterany:... once more
  exit
fi
exit "$code"
