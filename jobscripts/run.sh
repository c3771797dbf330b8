#!/bin/bash
# One deck under Slurm:  sbatch jobscripts/run.sh DECK [more arguments of `tessera run`]
#SBATCH --job-name=tessera
#SBATCH --nodes=1
#SBATCH --ntasks-per-node=32
#SBATCH --cpus-per-task=1
#SBATCH --time=01:00:00
#SBATCH --output=%x-%j.log
##SBATCH --account=...             # your site's names; ## is a comment, # with SBATCH is not
##SBATCH --partition=...
set -euo pipefail
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

# srun knows the job's nodes and binds ranks to cores; without PMIx in Slurm mpirun starts the ranks. LAUNCH
# chooses another way, as LAUNCH="mpirun --oversubscribe".
if [[ -n ${LAUNCH:-} ]]; then
  read -ra launch <<<"$LAUNCH"
elif srun --mpi=list 2>&1 | grep -q pmix; then
  launch=(srun --mpi=pmix --cpu-bind=cores)
else
  launch=(mpirun)
fi

"${launch[@]}" "$tessera" run "$@"
