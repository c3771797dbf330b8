//! Passes on which PETSc the bindings were made for, as `cfg(petsc_3_21)`.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(petsc_3_21)");
    // Set by the build script of petsc-sys through `links`.
    let version = std::env::var("DEP_PETSC_VERSION").unwrap_or_default();
    let mut part = version.split('.').map(|p| p.parse::<u32>().unwrap_or(0));
    if (part.next().unwrap_or(0), part.next().unwrap_or(0)) >= (3, 21) {
        println!("cargo::rustc-cfg=petsc_3_21");
    }
}
