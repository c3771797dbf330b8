// What stands in for the bindings where documentation is made without PETSc: the types that interfaces are written
// with. Functions, constants and the contents of types are missing.

/// Opaque objects.
macro_rules! handles {
    ($($name:ident $object:ident,)*) => { $(
        #[repr(C)]
        pub struct $object {
            _unused: [u8; 0],
        }
        pub type $name = *mut $object;
    )* };
}

handles! {
    DM _p_DM,
    IS _p_IS,
    KSP _p_KSP,
    Mat _p_Mat,
    MatNullSpace _p_MatNullSpace,
    PC _p_PC,
    PetscObject _p_PetscObject,
    PetscPartitioner _p_PetscPartitioner,
    PetscSection _p_PetscSection,
    PetscSF _p_PetscSF,
    SNES _p_SNES,
    Vec _p_Vec,
}

pub type VecScatter = PetscSF;
pub type PetscCount = isize;
pub type PetscInt = ::std::os::raw::c_int;
pub type PetscLogEvent = ::std::os::raw::c_int;
pub type PetscLogStage = ::std::os::raw::c_int;
pub type PetscReal = f64;
pub type PetscScalar = PetscReal;

/// Enumerations.
macro_rules! numbers {
    ($($name:ident)*) => { $(
        #[repr(transparent)]
        pub struct $name(pub ::std::os::raw::c_int);
    )* };
}

numbers! {
    InsertMode
    KSPConvergedReason
    MatOperation
    NormType
    PetscBool
    PetscErrorCode
    PetscErrorType
    ScatterMode
    SNESConvergedReason
}
