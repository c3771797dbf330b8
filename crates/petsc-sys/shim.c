/* Functions for what PETSc offers only as a macro, or under signatures that changed between versions. */
#include "wrapper.h"

PetscErrorCode petsc_shim_event_begin(PetscLogEvent event)
{
  return PetscLogEventBegin(event, NULL, NULL, NULL, NULL);
}

PetscErrorCode petsc_shim_event_end(PetscLogEvent event)
{
  return PetscLogEventEnd(event, NULL, NULL, NULL, NULL);
}

PetscErrorCode petsc_shim_log_flops(PetscLogDouble count)
{
  return PetscLogFlops(count);
}

/* Starts recording; whether `petsc_shim_log_stop` has to end it. From 3.20 on what records is an object, which
   PetscFinalize frees only after its list of objects that were never freed. */
PetscErrorCode petsc_shim_log_start(int *stop)
{
  PetscFunctionBegin;
  *stop = 0;
#if PETSC_VERSION_GE(3, 20, 0)
  PetscLogHandler handler = NULL;

  PetscCall(PetscLogGetDefaultHandler(&handler));
  *stop = !handler; /* else the option -log_view has started it, and shows it at the end */
#endif
  PetscCall(PetscLogDefaultBegin());
  PetscFunctionReturn(0);
}

PetscErrorCode petsc_shim_log_stop(void)
{
  PetscFunctionBegin;
#if PETSC_VERSION_GE(3, 20, 0)
  PetscLogHandler handler = NULL;

  PetscCall(PetscLogGetDefaultHandler(&handler));
  if (handler) PetscCall(PetscLogHandlerStop(handler));
#endif
  PetscFunctionReturn(0);
}

/* From 3.21 on sums over several vectors are products with a matrix wherever the vectors happen to lie beside each other
   in memory, with other last bits, so that no run would repeat another: not unless the user asks for it. */
PetscErrorCode petsc_shim_repeatable_sums(void)
{
  PetscFunctionBegin;
#if PETSC_VERSION_GE(3, 21, 0)
  const char *name = "-vec_mdot_use_gemv";
  PetscBool   given;

  PetscCall(PetscOptionsHasName(NULL, NULL, name, &given));
  if (!given) PetscCall(PetscOptionsSetValue(NULL, name, "0"));
  PetscCall(PetscOptionsHasName(NULL, NULL, name, &given)); /* counts as used, also where no vector is made */
#endif
  PetscFunctionReturn(0);
}

/* From 3.21 on edges may have weights. */
PetscErrorCode petsc_shim_partition(PetscPartitioner partitioner, PetscInt parts, PetscInt vertices, PetscInt start[], PetscInt adjacency[], PetscSection weights, PetscSection counts, IS *set)
{
#if PETSC_VERSION_GE(3, 21, 0)
  return PetscPartitionerPartition(partitioner, parts, vertices, start, adjacency, weights, NULL, NULL, counts, set);
#else
  return PetscPartitionerPartition(partitioner, parts, vertices, start, adjacency, weights, NULL, counts, set);
#endif
}

/* The OpenMP runtime of PETSc's libraries (MUMPS, hypre), where they have one. */
extern void omp_set_num_threads(int) __attribute__((weak));

void petsc_shim_set_threads(int count)
{
  if (omp_set_num_threads) omp_set_num_threads(count);
}

PetscBool petsc_shim_bool(int value)
{
  return value ? PETSC_TRUE : PETSC_FALSE;
}

PetscErrorCode petsc_shim_free(void *memory)
{
  return PetscFree(memory);
}

MPI_Op petsc_shim_mpi_replace(void)
{
  return MPI_REPLACE;
}

typedef struct {
  void *value;
  void (*drop)(void *);
} Owned;

static PetscErrorCode release_owned(Owned *owned)
{
  PetscFunctionBegin;
  owned->drop(owned->value);
  PetscCall(PetscFree(owned));
  PetscFunctionReturn(0);
}

#if PETSC_VERSION_GE(3, 23, 0)
static PetscErrorCode release(void **context)
{
  return release_owned((Owned *)*context);
}
  #define PetscContainerSetRelease PetscContainerSetCtxDestroy
#else
static PetscErrorCode release(void *context)
{
  return release_owned((Owned *)context);
}
  #define PetscContainerSetRelease PetscContainerSetUserDestroy
#endif

/* `object` owns `value` from now on, under `key`, and drops it when it is destroyed or the key is used again. */
PetscErrorCode petsc_shim_attach(PetscObject object, const char *key, void *value, void (*drop)(void *))
{
  PetscContainer container;
  Owned         *owned;
  MPI_Comm       comm;

  PetscFunctionBegin;
  PetscCall(PetscObjectGetComm(object, &comm));
  PetscCall(PetscNew(&owned));
  owned->value = value;
  owned->drop  = drop;
  PetscCall(PetscContainerCreate(comm, &container));
  PetscCall(PetscContainerSetPointer(container, owned));
  PetscCall(PetscContainerSetRelease(container, release));
  PetscCall(PetscObjectCompose(object, key, (PetscObject)container));
  PetscCall(PetscContainerDestroy(&container));
  PetscFunctionReturn(0);
}

/* The value that `petsc_shim_attach` put there, or null. */
PetscErrorCode petsc_shim_attached(PetscObject object, const char *key, void **value)
{
  PetscObject container = NULL;

  PetscFunctionBegin;
  *value = NULL;
  PetscCall(PetscObjectQuery(object, key, &container));
  if (container) {
    void *pointer = NULL;
    PetscCall(PetscContainerGetPointer((PetscContainer)container, &pointer));
    *value = ((Owned *)pointer)->value;
  }
  PetscFunctionReturn(0);
}
