#!/bin/bash
# A run in time that needs more hours than the queue gives:  sbatch jobscripts/chain.sh DECK [more arguments]
#
# Two minutes before the time limit Slurm signals this script, which passes the signal on; the program makes a
# checkpoint and ends with exit code 75; the job goes back to the queue under the same number and, when its turn comes
# again, goes on from the newest checkpoint. The first time there is none, so it starts from the beginning. The same
# happens when a node fails: Slurm requeues the job (--requeue), and what was lost since the last checkpoint is computed
# again. Follow it with `squeue --me` and `tail -f tessera-JOB.log`; `scancel JOB` ends the chain.
#SBATCH --job-name=tessera
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=32
#SBATCH --cpus-per-task=1
#SBATCH --time=24:00:00
#SBATCH --signal=B:USR1@120        # B: to this script alone; seconds before the limit: more than a step and a checkpoint
#SBATCH --requeue
#SBATCH --open-mode=append         # one log for all links of the chain
#SBATCH --output=%x-%j.log
##SBATCH --account=...             # your site's names; ## is a comment, # with SBATCH is not
##SBATCH --partition=...
set -uo pipefail
[[ $# -gt 0 ]] || { echo "usage: sbatch $0 DECK [ARGUMENT ...]" >&2; exit 2; }

# What Tessera was built with, one of:
# module load openmpi petsc hdf5-mpi
# spack load petsc hdf5
# image=tessera.sif                # and below: "${launch[@]}" apptainer exec "$image" tessera run ...

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

echo "== link ${SLURM_RESTART_COUNT:-0} of job ${SLURM_JOB_ID:-none} on ${SLURM_JOB_NODELIST:-this machine}, $(date)"
"${launch[@]}" "$tessera" run "$@" --restart latest &
program=$!
# In the background, because the shell handles signals only between commands or while it waits; a signal ends the waiting.
trap 'echo "== time is nearly up: asking for a checkpoint"; kill -USR1 $program; asked=yes; signalled=yes' USR1
asked=no
signalled=yes
while [[ $signalled == yes ]]; do
  signalled=no
  wait "$program"
  code=$?
done

# The signal itself ends a program that is not up yet (128 + 10): nothing is lost, the next link starts where this did.
[[ $code == 138 && $asked == yes ]] && code=75
if [[ $code == 75 && ${SLURM_RESTART_COUNT:-0} -ge ${MAX_LINKS:-100} ]]; then
  echo "== stopped with a checkpoint; no more than ${MAX_LINKS:-100} links: submit again to go on" >&2
elif [[ $code == 75 ]]; then
  echo "== stopped with a checkpoint: back to the queue"
  # Where requeueing is forbidden:  sbatch --dependency=afterany:$SLURM_JOB_ID jobscripts/chain.sh "$@"
  scontrol requeue "$SLURM_JOB_ID"
  exit
fi
exit "$code"
