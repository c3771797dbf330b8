//! The sections of a deck but `[[physics]]`.
use super::constraint::Norm;
use super::recycle::RecycleOptions;
use super::value::{InitialValue, Names, ScalarOrVector};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Where the mesh comes from: a file or a box.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MeshSection {
    /// Mesh file, relative to the deck: Gmsh (.msh, formats 2.2 and 4.1; a partitioned mesh in one file) or Tessera (.h5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// Factor from the file's length unit to metres.
    #[serde(default = "one")]
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    pub scale: f64,
    /// A box instead of a file. Facet markers: left, right (x), bottom, top (y), back, front (z);
    /// region: domain.
    #[serde(default, rename = "box", skip_serializing_if = "Option::is_none")]
    pub block: Option<BoxSection>,
}

/// An interval, rectangle or box divided into equal cells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BoxSection {
    /// Shape of the cells.
    pub cell: CellShape,
    /// Number of cells along each axis: one entry a dimension.
    #[schemars(length(min = 1, max = 3), inner(range(min = 1, max = 100_000_000)))]
    pub cells: Vec<u64>,
    /// Lower corner; the origin if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 3), extend("x-unit" = "m"))]
    pub lower: Option<Vec<f64>>,
    /// Upper corner; ones if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 3), extend("x-unit" = "m"))]
    pub upper: Option<Vec<f64>>,
    /// Axes along which the box repeats itself: its two sides there are one and the same, have no markers and
    /// take no conditions. At least 3 cells along each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 3))]
    pub periodic: Vec<Axis>,
}

impl BoxSection {
    /// Lower corner, padded with zeros to three coordinates.
    pub fn lower(&self) -> [f64; 3] {
        corner(self.lower.as_deref(), 0.0, self.cell.dimension())
    }

    /// Upper corner, padded with zeros to three coordinates.
    pub fn upper(&self) -> [f64; 3] {
        corner(self.upper.as_deref(), 1.0, self.cell.dimension())
    }

    /// Whether the box repeats itself along x, y, z.
    pub fn is_periodic(&self) -> [bool; 3] {
        [Axis::X, Axis::Y, Axis::Z].map(|axis| self.periodic.contains(&axis))
    }
}

fn corner(given: Option<&[f64]>, default: f64, dimension: usize) -> [f64; 3] {
    std::array::from_fn(|i| match given {
        _ if i >= dimension => 0.0,
        Some(values) => values.get(i).copied().unwrap_or(0.0),
        None => default,
    })
}

/// A coordinate axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Axis {
    /// First coordinate.
    X,
    /// Second coordinate.
    Y,
    /// Third coordinate.
    Z,
}

/// Shape of a box's cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CellShape {
    /// One dimension.
    Interval,
    /// Two dimensions.
    Triangle,
    /// Two dimensions.
    Quadrilateral,
    /// Three dimensions.
    Tetrahedron,
    /// Three dimensions.
    Hexahedron,
}

impl CellShape {
    /// Number of coordinates.
    pub fn dimension(self) -> usize {
        match self {
            Self::Interval => 1,
            Self::Triangle | Self::Quadrilateral => 2,
            Self::Tetrahedron | Self::Hexahedron => 3,
        }
    }
}

/// How the mesh is divided over ranks and experts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PartitionSection {
    /// Partitioner over ranks.
    pub method: PartitionMethod,
    /// Number of experts over all ranks, at least one a rank; if left out one a rank, or, where `constraint`, `experts` or the Schwarz method use them, one for 4000 cells, but 8 at least.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub experts: Option<u32>,
    /// Layers of cells by which neighbouring experts overlap.
    #[schemars(range(min = 1, max = 16))]
    pub overlap: u32,
}

impl Default for PartitionSection {
    fn default() -> Self {
        Self { method: PartitionMethod::Ptscotch, experts: None, overlap: 1 }
    }
}

/// Partitioner over ranks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PartitionMethod {
    /// PT-Scotch: few cut facets, equal shares.
    Ptscotch,
    /// Equal shares in the order of the file.
    Simple,
}

/// Linear solver. A physics may override any key in its own `[physics.solver]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SolverOptions {
    /// Which solver.
    pub method: SolverMethod,
    /// What holds between subdomains with `method = "schwarz"`: `"robin"` if left out where the equation is not symmetric
    /// and the model has such a condition, else `"overlap"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface: Option<InterfaceKind>,
    /// Factor of the parameter that the formula gives for `interface = "robin"`; 1 if left out.
    #[schemars(extend("exclusiveMinimum" = 0.0))]
    #[serde(skip_serializing_if = "is_one")]
    pub robin: f64,
    /// Relative tolerance of the residual.
    #[schemars(extend("exclusiveMinimum" = 0.0, "exclusiveMaximum" = 1.0))]
    pub tolerance: f64,
    /// Most iterations before the solve counts as failed.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub max_iterations: usize,
    /// Further PETSc options for these solves, such as "-ksp_monitor -pc_gamg_threshold 0.02"; they win over
    /// ours, which the log shows.
    pub petsc: String,
    /// When a preconditioner or factorisation that serves several matrices, as in a campaign, is built anew:
    /// "always" for each matrix; "auto" when the iterations that an old one costs take longer than a new one;
    /// or after so many solves. A solve that fails with an old one is repeated with a new one.
    pub refresh: Refresh,
    /// Memory from one linear system to the next.
    #[serde(skip_serializing_if = "RecycleOptions::is_default")]
    pub recycle: RecycleOptions,
    /// Chooses among settings by what earlier systems of a campaign or of a run in time cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tune: Option<TuneSection>,
}

impl Default for SolverOptions {
    fn default() -> Self {
        Self {
            method: SolverMethod::Auto,
            interface: None,
            robin: 1.0,
            tolerance: 1e-8,
            max_iterations: 1000,
            petsc: String::new(),
            refresh: Refresh::default(),
            recycle: RecycleOptions::default(),
            tune: None,
        }
    }
}

/// For defaults that decks need not show.
fn is_one(value: &f64) -> bool {
    *value == 1.0
}

/// What subdomains of a Schwarz method tell one another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum InterfaceKind {
    /// Values where they overlap.
    Overlap,
    /// A combination of values and fluxes, which stands for what lies behind the interface: optimised Schwarz.
    Robin,
}

/// When a preconditioner is built anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Refresh {
    /// After so many solves.
    Every(#[schemars(range(min = 1, max = 1_000_000_000))] usize),
    /// A word.
    Word(RefreshWord),
}

impl Default for Refresh {
    fn default() -> Self {
        Self::Word(RefreshWord::Auto)
    }
}

/// Words for when a preconditioner is built anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RefreshWord {
    /// For each matrix.
    Always,
    /// By measured times.
    Auto,
}

/// Tuning of a solver by a bandit: Tsallis-INF or, with a context, regression on Chebyshev polynomials.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TuneSection {
    /// Settings to choose from: PETSc options such as "-pc_type sor"; they stand before those of `petsc`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1000))]
    pub arms: Option<Vec<String>>,
    /// A relaxation parameter to choose a value of, with each of `arms` if there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relaxation: Option<RelaxationSection>,
    /// What is to be small.
    pub loss: TuneLoss,
    /// Seed of the choices.
    #[schemars(range(max = 9_223_372_036_854_775_807_u64))]
    pub seed: u64,
    /// What the cost of a system may depend on: expressions of parameters and t, such as "k". The choice then approaches the
    /// best one for each system, not the best fixed one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4))]
    pub context: Vec<String>,
    /// Solves every system with all arms, so that the regret is known exactly: for study.
    pub oracle: bool,
}

impl Default for TuneSection {
    fn default() -> Self {
        Self {
            arms: None,
            relaxation: None,
            loss: TuneLoss::Iterations,
            seed: 0,
            context: Vec::new(),
            oracle: false,
        }
    }
}

/// Equidistant values of a relaxation parameter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RelaxationSection {
    /// PETSc's option, such as "-pc_sor_omega".
    pub option: String,
    /// First value.
    pub from: f64,
    /// Last value.
    pub to: f64,
    /// Number of values.
    #[schemars(range(min = 2, max = 1000))]
    pub levels: usize,
}

/// What a tuned solve costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TuneLoss {
    /// Iterations of the linear solver.
    Iterations,
    /// Wall-clock time of set-up and solve.
    Seconds,
}

/// Kinds of linear solver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SolverMethod {
    /// Direct for small problems, otherwise as `"amg"`; waves (`helmholtz`) direct, or, in space, with absorbing boundaries and above 10,000 unknowns, as `"schwarz"`.
    Auto,
    /// Sparse Cholesky or LU factorisation.
    Direct,
    /// Conjugate gradients with algebraic multigrid, below p-multigrid for vector fields of degree 2.
    Amg,
    /// The Schwarz method of the experts: two levels with conjugate gradients where the equation is symmetric and linear; else, and with `interface = "robin"`, one level with GMRES.
    Schwarz,
    /// All from `petsc`.
    Options,
}

/// Integration in time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TimeSection {
    /// Last time.
    #[schemars(extend("x-unit" = "s"))]
    pub end: f64,
    /// First time.
    #[serde(default)]
    #[schemars(extend("x-unit" = "s"))]
    pub start: f64,
    /// Length of a step; with a tolerance or growth only of the first.
    #[schemars(extend("exclusiveMinimum" = 0.0, "x-unit" = "s"))]
    pub step: f64,
    /// Method.
    #[serde(default)]
    pub scheme: TimeScheme,
    /// Relative local error of a step; without one steps are known beforehand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0.0, "exclusiveMaximum" = 1.0))]
    pub tolerance: Option<f64>,
    /// Without a tolerance, the factor from one step to the next until the longest, beginning with `step` at the start and at
    /// every one of `stops`; backward differences of order 2 are stable up to 2.4.
    #[serde(default = "no_growth", skip_serializing_if = "is_no_growth")]
    #[schemars(range(min = 1.0, max = 10.0))]
    pub growth: f64,
    /// Longest step, with a tolerance or growth; a tenth of the whole time if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0.0, "x-unit" = "s"))]
    pub longest: Option<f64>,
    /// Shortest step: below it the run fails; a millionth of `step` if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0.0, "x-unit" = "s"))]
    pub shortest: Option<f64>,
    /// Times that a step must end at and the next starts anew from, such as those where loads jump.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-unit" = "s"))]
    pub stops: Vec<f64>,
}

fn no_growth() -> f64 {
    1.0
}

fn is_no_growth(growth: &f64) -> bool {
    *growth == 1.0
}

impl TimeSection {
    /// From 0 to some time, in equal steps by the default method.
    pub fn until(end: f64, step: f64) -> Self {
        let scheme = TimeScheme::default();
        Self {
            end,
            start: 0.0,
            step,
            scheme,
            tolerance: None,
            growth: no_growth(),
            longest: None,
            shortest: None,
            stops: Vec::new(),
        }
    }
}

/// Methods of integration in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TimeScheme {
    /// Implicit Euler, order 1; monotone.
    Bdf1,
    /// Backward differences of variable step, order 2.
    #[default]
    Bdf2,
    /// Trapezoidal rule, order 2; keeps energy.
    CrankNicolson,
    /// Runge-Kutta method of Alexander, order 2, L-stable.
    Sdirk2,
    /// Runge-Kutta method of Alexander, order 3, L-stable.
    Sdirk3,
}

/// The initial value of a field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Initial {
    /// The solution; the only physics' if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// A number or an expression; a list for a vector field; or a field of a file.
    pub value: InitialValue,
}

/// What a run writes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OutputSection {
    /// Folder, relative to the working directory; made if missing. `--output` overrides it.
    pub directory: PathBuf,
    /// HDF5 file in that folder.
    pub file: PathBuf,
    /// Fields to write; all primary and derived fields if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fields: Option<Vec<String>>,
    /// Whether to write an XDMF file for ParaView beside it.
    pub xdmf: bool,
    /// Runs in time: number of equal intervals after each of which fields are written (besides the start).
    #[schemars(range(min = 1, max = 1_000_000))]
    pub frames: usize,
}

impl Default for OutputSection {
    fn default() -> Self {
        Self { directory: "out".into(), file: "run.h5".into(), fields: None, xdmf: true, frames: 10 }
    }
}

/// Checkpoints of a run in time, from which `--restart` goes on. One is also made on SIGUSR1, SIGTERM and SIGINT, after which
/// the run ends with exit code 75, and when a run ends early because a step fails.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CheckpointSection {
    /// Folder, relative to the working directory; made if missing. `checkpoints` in the output folder if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directory: Option<PathBuf>,
    /// So many of the newest stay.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub keep: usize,
    /// One after so many steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub every_steps: Option<usize>,
    /// One after so much wall-clock time; "auto" follows from what a checkpoint costs and `mean_time_between_failures`.
    #[schemars(extend("x-unit" = "s"))]
    pub every_seconds: CheckpointInterval,
    /// Mean time between failures of the machine.
    #[schemars(extend("exclusiveMinimum" = 0.0, "x-unit" = "s"))]
    pub mean_time_between_failures: f64,
}

impl Default for CheckpointSection {
    fn default() -> Self {
        Self {
            directory: None,
            keep: 2,
            every_steps: None,
            every_seconds: CheckpointInterval::Word(CheckpointWord::Auto),
            mean_time_between_failures: 86_400.0,
        }
    }
}

/// Wall-clock time between checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum CheckpointInterval {
    /// So many seconds.
    Seconds(#[schemars(extend("exclusiveMinimum" = 0.0))] f64),
    /// A word.
    Word(CheckpointWord),
}

/// Words for a time between checkpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CheckpointWord {
    /// From cost and mean time between failures.
    Auto,
    /// Not by the clock.
    Never,
}

/// A quantity of interest: one number a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Quantity {
    /// Its name in tables and files.
    pub name: String,
    /// How it is computed.
    pub kind: QuantityKind,
    /// Field it is computed of, primary or derived; the only physics' field if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Physics whose field it is computed of, instead of `field`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub physics: Option<String>,
    /// Component of a vector or tensor field (from 0); its magnitude if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 8))]
    pub component: Option<usize>,
    /// Region or facet marker to which it is restricted, or a list of one kind; the whole domain if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marker: Option<Names>,
    /// Where `kind = "point"` probes the field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 3), extend("x-unit" = "m"))]
    pub point: Option<Vec<f64>>,
    /// The value at this point is subtracted from that at `point`, as for a pressure drop.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 3), extend("x-unit" = "m"))]
    pub minus_point: Option<Vec<f64>>,
    /// The number is multiplied by this, as for a drag coefficient; it then has no unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub factor: Option<f64>,
}

/// Kinds of quantities of interest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum QuantityKind {
    /// Mean over a region or a facet marker.
    Average,
    /// Integral over a region or a facet marker.
    Integral,
    /// Smallest nodal value.
    Minimum,
    /// Largest nodal value.
    Maximum,
    /// Value at a point.
    Point,
    /// What leaves through facet markers, the whole boundary if left out; solids: the force there on the body; flow: volume.
    Flux,
    /// What the essential conditions of facet markers give, all of them if left out: force on the body, heat into it.
    Reaction,
    /// Elasticity: elastic energy, 1/2 int sigma : (strain - thermal strain) dx, with that of foundations; diffusion:
    /// 1/2 a(u, u).
    Energy,
    /// L2 norm of the difference to the `[[exact]]` field.
    L2Error,
    /// H1 seminorm of the difference to the `[[exact]]` field.
    H1Error,
}

/// A known solution, for errors and `check --convergence`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exact {
    /// Primary field; the only physics' field if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The solution: a number or an expression; a list for a vector field.
    pub value: ScalarOrVector,
}

/// Many runs over a design of the parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CampaignSection {
    /// How samples are chosen.
    pub design: Design,
    /// Number of samples; a list or grid has its own. Design "adaptive": the most there may be.
    #[schemars(range(min = 1, max = 10_000_000))]
    pub samples: usize,
    /// Which sample is solved after which; the dataset is the same.
    pub order: Order,
    /// Seed of random designs.
    #[schemars(range(max = 9_223_372_036_854_775_807_u64))]
    pub seed: u64,
    /// HDF5 file in the output folder.
    pub file: PathBuf,
    /// Problems in time: what is kept of each sample.
    pub frames: Frames,
    /// Frames "steps": room for so many steps of each sample. With `time.tolerance`, where nobody knows beforehand, it must be
    /// given; otherwise room for the steps of the deck if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000_000))]
    pub steps: Option<usize>,
    /// Whether fields are stored in single precision.
    pub single: bool,
    /// Ranks that solve a sample together: the others solve other samples at the same time. "auto" measures which number
    /// is best; if left out, as many as a sample's size asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_ranks: Option<GroupRanks>,
    /// First guess of a sample's solution. One that already meets the solver's tolerance is the solution.
    pub guess: FirstGuess,
    /// Guess "galerkin": most functions in the basis of each physics.
    #[schemars(range(min = 1, max = 10_000))]
    pub basis: usize,
    /// Columns of `table`; every parameter with a range, in the deck's order, if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub columns: Option<Vec<String>>,
    /// Design "adaptive".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adaptive: Option<AdaptiveSection>,
    /// Design "list": one row a sample.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub table: Option<Vec<Vec<f64>>>,
    /// Design "list": file of comma-separated values, relative to the deck; its first line names
    /// the parameters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub csv: Option<PathBuf>,
    /// Design "grid": number of equidistant levels of each parameter.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("minProperties" = 1))]
    pub levels: Option<IndexMap<String, Level>>,
}

/// What is kept of a sample in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Frames {
    /// The start and the ends of all `output.frames` intervals.
    #[default]
    All,
    /// The end alone.
    Last,
    /// The start and the end of every accepted step, at times of each sample's own.
    Steps,
}

/// Number of levels of a parameter in a grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Level(#[schemars(range(min = 1, max = 1_000_000))] pub usize);

impl Default for CampaignSection {
    fn default() -> Self {
        Self {
            design: Design::Sobol,
            samples: 16,
            order: Order::Design,
            seed: 0,
            file: "dataset.h5".into(),
            frames: Frames::All,
            steps: None,
            single: false,
            group_ranks: None,
            guess: FirstGuess::Galerkin,
            basis: 100,
            columns: None,
            adaptive: None,
            table: None,
            csv: None,
            levels: None,
        }
    }
}

/// Orders of a campaign's samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// That of the design: a campaign that is stopped leaves its first samples, which fill the ranges as well.
    Design,
    /// From neighbour to neighbour, by parameters and the low frequencies of random fields: a solution is then a good
    /// first guess for the next.
    Nearest,
}

/// Ranks that solve a sample together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum GroupRanks {
    /// So many; some groups have one more when the ranks cannot be divided evenly.
    Number(#[schemars(range(min = 1, max = 1_000_000))] usize),
    /// A word.
    Word(GroupRanksWord),
}

/// Words for the size of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum GroupRanksWord {
    /// Groups of several sizes solve the first samples; the quickest size for the whole campaign wins.
    Auto,
    /// All ranks on each sample.
    All,
}

/// First guesses of a campaign's solutions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FirstGuess {
    /// Zero.
    None,
    /// The solution of the sample before.
    Last,
    /// The solution of the nearest sample that is done, in parameters scaled to their ranges.
    Nearest,
    /// Galerkin's projection on the solutions so far.
    Galerkin,
}

/// Designs of experiments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Design {
    /// The rows of `table` or `csv`.
    List,
    /// Every combination of `levels`.
    Grid,
    /// Latin hypercube.
    LatinHypercube,
    /// Scrambled Sobol sequence.
    Sobol,
    /// Scrambled Halton sequence.
    Halton,
    /// Independent uniform numbers.
    Random,
    /// A few Sobol points, then one after the other where the error estimate of the reduced model of those before is
    /// largest (weak greedy; of problems in time and nonlinear ones an indicator). The campaign trains that model as it goes;
    /// `[rom]` says what it writes at the end. The last `rom.calibration` samples are drawn at random.
    Adaptive,
}

/// Samples where a reduced model's error estimate is largest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AdaptiveSection {
    /// Number of samples that are chosen beforehand: points of a scrambled Sobol sequence.
    #[schemars(range(min = 1, max = 65_536))]
    pub initial: usize,
    /// Largest estimate of the relative error (energy norm) at which no further sample is taken; by default all
    /// `samples` are. Of problems in time and nonlinear ones the largest indicator.
    #[schemars(extend("minimum" = 0.0))]
    pub tolerance: f64,
    /// Number of points of a Latin hypercube that samples are chosen from.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub candidates: usize,
}

impl Default for AdaptiveSection {
    fn default() -> Self {
        Self { initial: 4, tolerance: 0.0, candidates: 1000 }
    }
}

/// Reduced-order model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RomSection {
    /// HDF5 file in the output folder.
    pub file: PathBuf,
    /// Most modes for each physics.
    #[schemars(range(min = 1, max = 100_000))]
    pub modes: usize,
    /// Share of the snapshots' energy that the basis may leave out; of local bases all together.
    #[schemars(extend("minimum" = 0.0, "exclusiveMaximum" = 1.0))]
    pub tolerance: f64,
    /// How the basis is computed.
    pub algorithm: RomAlgorithm,
    /// Inner product of the basis; of problems in time and nonlinear ones always "mass".
    pub inner_product: Norm,
    /// Problems in time: bases in space and time, over so many windows of steps one after the other; bases in space if left
    /// out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub windows: Option<usize>,
    /// Problems in time and nonlinear ones: relative tolerance of the sampled points and weights that stand for the integrals;
    /// found by trials on training samples if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0.0, "exclusiveMaximum" = 1.0))]
    pub cubature: Option<f64>,
    /// Problems in time and nonlinear ones: so many of the last samples are held out of the training, and bounds of errors are
    /// calibrated on them. If left out, 19 where there are 57 samples or more, and none where there are fewer.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100_000))]
    pub calibration: Option<usize>,
    /// Probability that an error stays within its calibrated bound.
    #[schemars(extend("exclusiveMinimum" = 0.0, "exclusiveMaximum" = 1.0))]
    pub level: f64,
    /// Functions that residuals of predictions are tested with, at most; 0 for none.
    #[schemars(range(min = 0, max = 1000))]
    pub indicator_modes: usize,
    /// Problems in time and nonlinear ones: a reduced model for each of so many clusters of training trajectories, of which
    /// predictions take the one with the least indicator; "auto" for as many as pay, one if left out.
    /// A prediction costs as many times as much.
    #[serde(skip_serializing_if = "ClusterCount::is_one")]
    pub clusters: ClusterCount,
}

impl Default for RomSection {
    fn default() -> Self {
        Self {
            file: "model.h5".into(),
            modes: 25,
            tolerance: 1e-8,
            algorithm: RomAlgorithm::Snapshots,
            inner_product: Norm::Energy,
            windows: None,
            cubature: None,
            calibration: None,
            level: 0.9,
            indicator_modes: 40,
            clusters: ClusterCount::default(),
        }
    }
}

/// Clusters of training trajectories.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ClusterCount {
    /// So many.
    Number(#[schemars(range(min = 1, max = 4))] usize),
    /// A word.
    Word(ClusterWord),
}

impl ClusterCount {
    fn is_one(&self) -> bool {
        *self == Self::Number(1)
    }
}

impl Default for ClusterCount {
    fn default() -> Self {
        Self::Number(1)
    }
}

/// Words for a number of clusters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ClusterWord {
    /// The least number up to 4 whose bases leave 0.6 of one basis' median error at most and no larger worst one; else 1.
    Auto,
}

/// Algorithms for proper orthogonal decomposition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RomAlgorithm {
    /// Method of snapshots: eigenvectors of the Gram matrix; singular values down to 1e-8 of the first.
    Snapshots,
    /// Tall-skinny QR, then a small singular value decomposition; resolves all singular values.
    Tsqr,
}

fn one() -> f64 {
    1.0
}
