//! Which of PETSc's methods solves what, when the deck leaves it to us; measured in `docs/performance.md`.
use crate::deck::{SolverMethod, SolverOptions};
use crate::fem::Space;
use crate::physics::Problem;
use petsc_rs::Options;

/// Elliptic problems up to these sizes (in one, two, three dimensions) are factorised: exact, and about as fast as
/// multigrid.
const DIRECT_UNKNOWNS: [u64; 3] = [100_000, 20_000, 5_000];

/// Up to these sizes every rank factorises the whole matrix with PETSc's own Cholesky method, which has no messages to
/// send: next to MUMPS a third of the time for a new matrix of a known pattern, and a tenth for a solve.
const REPLICATED_UNKNOWNS: [u64; 3] = [100_000, 100_000, 5_000];

const REPLICATED: &str = "-ksp_type preonly -pc_type redundant -redundant_pc_type cholesky";

/// MUMPS gets room for more fill than it expects: small distributed matrices need it now and then.
const DISTRIBUTED: &str = "-ksp_type preonly -pc_type cholesky -pc_factor_mat_solver_type mumps \
    -mat_mumps_icntl_14 100";

/// Conjugate gradients with smoothed aggregation for vector problems. On elasticity cubes of 206,763
/// unknowns a second aggressive level, a drop tolerance of 0.04 and W cycles (the coarse levels are small)
/// take about two thirds of the time of PETSc's usual settings (see `docs/performance.md`).
const AMG: &str = "-ksp_type cg -pc_type gamg -pc_gamg_threshold 0.04 -pc_gamg_aggressive_coarsening 2 \
    -pc_gamg_reuse_interpolation false -pc_mg_cycle_type w -mg_levels_ksp_type chebyshev -mg_levels_pc_type jacobi";

/// For vector problems of degree 2: conjugate gradients with p-multigrid (see [`crate::solver::precondition`]), one
/// Chebyshev step before and after two cycles of the method above on the coarse level: the coarse level is
/// so much smaller that its second cycle costs less than the iterations it saves. The coarse interpolation
/// follows the values of the matrix: one kept from very different values (PETSc's default) has been seen to make
/// the preconditioner indefinite, and a new one takes a few per cent of a solve.
const P_MULTIGRID: &str = "-ksp_type cg -pc_type mg -pc_mg_levels 2 -mg_levels_ksp_type chebyshev \
    -mg_levels_ksp_max_it 1 -mg_levels_esteig_ksp_type cg -mg_levels_pc_type jacobi \
    -mg_coarse_ksp_type richardson -mg_coarse_ksp_max_it 2 -mg_coarse_ksp_norm_type none \
    -mg_coarse_pc_type gamg -mg_coarse_pc_gamg_threshold 0.04 -mg_coarse_pc_gamg_aggressive_coarsening 2 \
    -mg_coarse_pc_gamg_reuse_interpolation false -mg_coarse_pc_mg_cycle_type w \
    -mg_coarse_mg_levels_ksp_type chebyshev -mg_coarse_mg_levels_pc_type jacobi";

/// Multigrid for scalar problems in so many dimensions: BoomerAMG's own settings in the plane; in space their
/// operators grow too dense, so coarsening is aggressive on the finest level, with HMIS and short interpolation
/// (De Sterck, Yang and Heys, SIAM J. Matrix Anal. Appl. 27 (2006); see `docs/performance.md`).
fn scalar_multigrid(dimension: usize) -> &'static str {
    match dimension {
        3 => {
            "-pc_type hypre -pc_hypre_type boomeramg -pc_hypre_boomeramg_coarsen_type HMIS \
             -pc_hypre_boomeramg_interp_type ext+i -pc_hypre_boomeramg_P_max 4 -pc_hypre_boomeramg_agg_nl 1"
        }
        _ => "-pc_type hypre -pc_hypre_type boomeramg",
    }
}

/// Other problems up to these sizes: each Newton step is solved by factorisation.
const DIRECT_STEPS: [u64; 3] = [1_000_000, 200_000, 30_000];

const DISTRIBUTED_LU: &str =
    "-ksp_type preonly -pc_type lu -pc_factor_mat_solver_type mumps -mat_mumps_icntl_14 100";

/// Up to this size every rank factorises the whole matrix of a scalar problem. This method does not look for pivots.
const REPLICATED_LU_UNKNOWNS: u64 = 20_000;

const REPLICATED_LU: &str = "-ksp_type preonly -pc_type redundant -redundant_pc_type lu";

/// As long as the tangent stays each solve starts from the best combination of earlier solutions (P. F. Fischer,
/// *Projection techniques for iterative solution of Ax = b with successive right-hand sides*, Comput. Methods Appl.
/// Mech. Eng. 163 (1998)).
const FISCHER: &str = "-ksp_guess_type fischer -ksp_guess_fischer_model 1,20";

/// The restricted Schwarz method of the experts, see [`crate::solver::precondition`]. It is not symmetric; what GMRES
/// measures is the residual itself, as it preconditions from the right.
pub(crate) fn restricted(symmetric_matrix: bool) -> String {
    let factors = if symmetric_matrix { "cholesky" } else { "lu" };
    format!(
        "-ksp_type gmres -ksp_gmres_restart 150 -ksp_pc_side right -pc_type asm -pc_asm_type restrict \
         -sub_ksp_type preonly -sub_pc_type {factors} -sub_pc_factor_mat_solver_type mumps"
    )
}

/// Block elimination of the velocity, see [`crate::solver::flow`].
const FLOW: &str = "-ksp_type fgmres -ksp_gmres_restart 100 -pc_type fieldsplit -pc_fieldsplit_type schur \
    -pc_fieldsplit_schur_fact_type upper -pc_fieldsplit_schur_precondition user \
    -fieldsplit_velocity_ksp_type preonly -fieldsplit_velocity_pc_type hypre \
    -fieldsplit_pressure_ksp_type preonly -fieldsplit_pressure_pc_type mat";

/// Fixed and unused unknowns, with the explicit zeros of their rows and columns, are left out of the
/// factorisation: a third of its time in two dimensions, two thirds in three. Where a large body makes the friction small
/// beside the pressure, pivots of the default threshold are put off until the factors no longer fit; Newton's method
/// corrects what smaller ones cost.
const DIRECT_FLOW: &str = "-ksp_type preonly -pc_type redistribute -redistribute_ksp_type preonly \
    -redistribute_pc_type lu -redistribute_pc_factor_mat_solver_type mumps -redistribute_mat_mumps_icntl_14 300 \
    -redistribute_mat_mumps_cntl_1 1e-6";

/// The linear solver need not be more exact than Newton's model (Eisenstat and Walker, SIAM J. Sci. Comput.
/// 17 (1996), choice 2).
const INEXACT: &str = "-snes_ksp_ew -snes_ksp_ew_rtolmax 0.1";

/// The options of a symmetric positive definite problem, as a user could write them.
pub(super) struct Elliptic {
    /// The deck's, then our defaults: the first mention of an option wins.
    pub options: String,
    /// Whether it is our factorisation.
    pub direct: bool,
    /// Whether it is our two-level method for degree 2, see [`crate::solver::precondition`].
    pub p_multigrid: bool,
    /// Whether it is BoomerAMG unasked, whose interpolation may be kept.
    pub classical: bool,
}

impl Elliptic {
    /// Of the problem `name` on `space`.
    ///
    /// # Errors
    /// When PETSc fails.
    pub fn new(space: &Space, name: &str, options: &SolverOptions) -> petsc_rs::Result<Self> {
        let asked = asked_preconditioner(name, &options.petsc)?;
        let scalar = format!("-ksp_type cg {}", scalar_multigrid(space.mesh.dimension));
        let amg = match (space.components, space.element.degree) {
            (1, _) => &scalar,
            (_, 2) if asked.as_ref().is_none_or(|kind| kind == "mg") => P_MULTIGRID,
            _ => AMG,
        };
        let direct = match options.method {
            SolverMethod::Direct => true,
            // A factorisation leaves nothing to recycle.
            SolverMethod::Auto => !options.recycle.is_on() && is_within(space, DIRECT_UNKNOWNS),
            _ => false,
        };
        let base = match options.method {
            _ if direct && may_be_replicated(space) => REPLICATED,
            _ if direct => DISTRIBUTED,
            SolverMethod::Options => "",
            _ => amg,
        };
        // The norm is that of the true residual, whatever the preconditioner.
        let norm = if direct { "" } else { "-ksp_norm_type unpreconditioned" };
        // Another method of hypre's has no interpolation.
        let other = options.petsc.contains("-pc_hypre_type")
            || Options::global()?.get(&format!("-{name}_pc_hypre_type"))?.is_some();
        Ok(Self {
            options: join(&[&options.petsc, base, norm]),
            direct,
            p_multigrid: base == P_MULTIGRID,
            classical: base == scalar && asked.is_none() && !other,
        })
    }
}

/// Whether every rank may factorise the whole matrix of a symmetric positive definite problem.
pub(crate) fn may_be_replicated(space: &Space) -> bool {
    is_within(space, REPLICATED_UNKNOWNS)
}

fn is_within(space: &Space, most: [u64; 3]) -> bool {
    space.global_dofs() <= most[space.mesh.dimension - 1]
}

/// The preconditioner that the command line or the deck asks for.
fn asked_preconditioner(name: &str, petsc: &str) -> petsc_rs::Result<Option<String>> {
    let mut words = petsc.split_whitespace();
    let deck = words.find(|word| word.eq_ignore_ascii_case("-pc_type")).and_then(|_| words.next());
    let command_line = Options::global()?.get(&format!("-{name}_pc_type"))?;
    Ok(command_line.or(deck.map(String::from)))
}

/// The options of Newton's method: the deck's, then our defaults.
pub(crate) fn nonlinear(problem: &Problem, options: &SolverOptions) -> String {
    let (space, facts) = (&problem.space, problem.facts());
    let symmetric_linear = facts.is_symmetric_linear();
    // In time the factors of a linear form serve many steps.
    let most = if symmetric_linear { REPLICATED_UNKNOWNS } else { DIRECT_STEPS };
    let direct = match options.method {
        SolverMethod::Direct => true,
        // A factorisation leaves nothing to recycle.
        SolverMethod::Auto if options.recycle.is_on() => false,
        SolverMethod::Auto => is_within(space, most) || facts.complex,
        _ => false,
    };
    let scalar = space.components == 1;
    let method = if facts.symmetric { "cg" } else { "gmres" };
    let multigrid = format!("-ksp_type {method} {}", scalar_multigrid(space.mesh.dimension));
    let restricted = restricted(facts.symmetric || facts.complex);
    let krylov = match (options.method, direct) {
        (SolverMethod::Options, _) => "",
        (_, true) if symmetric_linear && may_be_replicated(space) => REPLICATED,
        (_, true) if scalar && space.global_dofs() <= REPLICATED_LU_UNKNOWNS => REPLICATED_LU,
        (_, true) if facts.pressure => DIRECT_FLOW,
        // Symmetric, but not definite.
        (_, true) if facts.complex => DISTRIBUTED,
        (_, true) => DISTRIBUTED_LU,
        _ if facts.pressure => FLOW,
        (SolverMethod::Schwarz, _) => &restricted,
        _ if facts.symmetric => &multigrid,
        _ if problem.is_solid() => {
            "-ksp_type gmres -ksp_gmres_restart 100 -pc_type gamg -pc_gamg_threshold 0.02 \
             -mg_levels_ksp_type chebyshev -mg_levels_pc_type jacobi"
        }
        _ if scalar => &multigrid,
        _ => "-ksp_type gmres -ksp_gmres_restart 60 -pc_type asm -sub_pc_type ilu -sub_pc_factor_levels 1",
    };
    // Solvers that are compared with one another, and those of a user, get no memory unasked.
    let ours = options.petsc.trim().is_empty() && options.method != SolverMethod::Options;
    let memory = if symmetric_linear && ours && !direct { FISCHER } else { "" };
    let accuracy = match (direct || options.method == SolverMethod::Options, facts.linear) {
        (true, _) => String::new(),
        (_, true) => format!("-ksp_rtol {:e}", 0.1 * options.tolerance),
        _ => INEXACT.to_string(),
    };
    let iterations = if direct { String::new() } else { format!("-ksp_max_it {}", options.max_iterations) };
    join(&[&options.petsc, krylov, memory, &accuracy, &iterations, "-snes_linesearch_type bt"])
}

/// One line of those that say anything.
fn join(parts: &[&str]) -> String {
    parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}
