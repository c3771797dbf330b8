#include <petsc.h>
/* What PETSc offers only as a macro, or under changing signatures; see shim.c. */
PetscErrorCode petsc_shim_event_begin(PetscLogEvent event);
PetscErrorCode petsc_shim_event_end(PetscLogEvent event);
PetscBool      petsc_shim_bool(int value);
PetscErrorCode petsc_shim_free(void *memory);
MPI_Op         petsc_shim_mpi_replace(void);
PetscErrorCode petsc_shim_attach(PetscObject object, const char *key, void *value, void (*drop)(void *));
PetscErrorCode petsc_shim_attached(PetscObject object, const char *key, void **value);
PetscErrorCode petsc_shim_log_flops(PetscLogDouble count);
PetscErrorCode petsc_shim_log_start(int *stop);
PetscErrorCode petsc_shim_log_stop(void);
PetscErrorCode petsc_shim_repeatable_sums(void);
PetscErrorCode petsc_shim_partition(PetscPartitioner partitioner, PetscInt parts, PetscInt vertices, PetscInt start[], PetscInt adjacency[], PetscSection weights, PetscSection counts, IS *set);
void           petsc_shim_set_threads(int count);
