#!/bin/bash
# A campaign of small samples in one job: its parts run side by side, RANKS ranks each.
#
#   RANKS=4 sbatch jobscripts/campaign-pack.sh DECK [more arguments]             32 ranks: 8 parts at a time
#
# A sample with few unknowns (below some 20,000 a rank) does not get faster on more ranks, so many at a time use the
# node better. Part K of N goes to its own dataset-K-of-N.h5 and log; `tessera train DECK` takes all of them. The number
# of parts is that of the ranks divided by RANKS: keep both when the job is submitted again to go on. As in campaign.sh,
# the job goes back to the queue when its time is nearly up, or when a node fails.
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
# image=tessera.sif                # and below: "${launch[@]}" -n "$ranks" apptainer exec "$image" tessera campaign ...

# Slurm runs a copy of this file, so the repository is where the job was submitted, unless told otherwise.
tessera=${TESSERA:-${SLURM_SUBMIT_DIR:-$PWD}/target/release/tessera}
[[ -x $tessera ]] || { echo "no program at $tessera: submit from the repository or set TESSERA" >&2; exit 2; }

export OMP_NUM_THREADS=1                   # ranks use the cores; BLAS must not start threads on top
export HDF5_USE_FILE_LOCKING=FALSE         # network file systems often have no locks

ranks=${RANKS:-4}
parts=$(( ${SLURM_NTASKS:-$((SLURM_JOB_NUM_NODES * SLURM_NTASKS_PER_NODE))} / ranks ))
[[ $parts -gt 0 ]] || { echo "RANKS=$ranks is more than the job has" >&2; exit 2; }

# srun gives each part cores of its own (--exact) on one node and shares the job's memory among them (--mem=0). mpirun
# knows of no other mpirun, so it must not bind ranks, and finds the first node only. LAUNCH chooses another way.
if [[ -n ${LAUNCH:-} ]]; then
  read -ra launch <<<"$LAUNCH"
elif srun --mpi=list 2>&1 | grep -q pmix; then
  launch=(srun --mpi=pmix --exact --mem=0 --nodes=1 --cpu-bind=cores)
elif [[ ${SLURM_JOB_NUM_NODES:-1} == 1 ]]; then
  launch=(mpirun --bind-to none)
else
  echo "without PMIx in Slurm a pack has one node" >&2
  exit 2
fi
export RAYON_NUM_THREADS=${SLURM_CPUS_PER_TASK:-1} # a rank that is not bound would take the whole node

echo "== job ${SLURM_JOB_ID:-none}, $parts parts of $ranks ranks, requeued ${SLURM_RESTART_COUNT:-0} times, on ${SLURM_JOB_NODELIST:-this machine}, $(date)"
# In the background, because they run side by side, and because the shell handles signals only between commands or while
# it waits; a signal ends the waiting.
programs=()
trap 'echo "== time is nearly up: no further samples"; kill -USR1 "${programs[@]}" 2>/dev/null; asked=yes; signalled=yes' USR1
asked=no
for ((part = 1; part <= parts; part++)); do
  "${launch[@]}" -n "$ranks" "$tessera" campaign --part "$part/$parts" "$@" \
    >>"${SLURM_JOB_NAME:-campaign}-${SLURM_JOB_ID:-none}-$part.log" 2>&1 &
  programs+=($!)
done

# A part that fails does not end the others. Back to the queue only when none has failed.
failed=0
stopped=no
for ((part = 1; part <= parts; part++)); do
  signalled=yes
  while [[ $signalled == yes ]]; do
    signalled=no
    wait "${programs[part - 1]}"
    code=$?
  done
  # The signal itself ends a program that is not up yet (128 + 10): nothing is lost.
  [[ $code == 138 && $asked == yes ]] && code=75
  if [[ $code == 75 ]]; then
    stopped=yes
  elif [[ $code != 0 ]]; then
    echo "== part $part/$parts ended with code $code" >&2
    failed=$code
  fi
done

if [[ $failed != 0 ]]; then
  exit "$failed"
elif [[ $stopped == yes && ${SLURM_RESTART_COUNT:-0} -ge ${MAX_LINKS:-100} ]]; then
  echo "== stopped between samples after ${MAX_LINKS:-100} links: submit again to go on" >&2
  exit 75
elif [[ $stopped == yes ]]; then
  echo "== stopped between samples: back to the queue"
  scontrol requeue "$SLURM_JOB_ID"
fi
