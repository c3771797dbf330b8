//! Safe wrappers of PETSc.
