//! `[experts]`: what experts learn.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What experts learn.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ExpertsSection {
    /// A network that gives every expert functions of its own for each sample; `tessera learn` trains it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkSection>,
}

impl ExpertsSection {
    pub(super) fn is_default(&self) -> bool {
        self.network.is_none()
    }
}

/// A network from a point and the parameters to functions, trained by the residual of the field that they give.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkSection {
    /// Functions of each expert, beside its constants (of elasticity its rigid motions).
    #[schemars(range(min = 1, max = 100))]
    pub functions: usize,
    /// Neurons in the hidden layers, of the network of points and of that of parameters.
    #[schemars(length(min = 1, max = 16), inner(range(min = 1, max = 4096)))]
    pub widths: Vec<usize>,
    /// Features of a point, which the functions of a sample are sums of.
    #[schemars(range(min = 1, max = 4096))]
    pub features: usize,
    /// Steps of the optimiser.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub steps: usize,
    /// Samples of the parameters in a step, drawn anew from their ranges as a Latin hypercube.
    #[schemars(range(min = 1, max = 100_000))]
    pub samples: usize,
    /// Rate of the first step, about the change of a weight; it falls to zero as half a cosine.
    #[schemars(extend("exclusiveMinimum" = 0.0, "exclusiveMaximum" = 1.0))]
    pub rate: f64,
    /// Seed of the first weights and of the samples.
    #[schemars(range(max = 9_223_372_036_854_775_807_u64))]
    pub seed: u64,
    /// Samples that are never trained on: the residual is shown of them, and at the end the error against full solutions.
    #[schemars(range(min = 1, max = 100_000))]
    pub tests: usize,
    /// Steps from one look at the tests to the next; the file is written as well.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub every: usize,
    /// HDF5 file in the output folder.
    pub file: PathBuf,
    /// The runs that are trained on, of a deck with `[time]`.
    #[serde(skip_serializing_if = "NetworkTime::is_default")]
    pub time: NetworkTime,
}

/// Steps and mesh of the runs that a network is trained on. Steps are short at first and grow; their scheme is the deck's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NetworkTime {
    /// Length of the first step; `time.step` if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0.0, "x-unit" = "s"))]
    pub first: Option<f64>,
    /// Factor from one step to the next; backward differences of order 2 are stable up to 2.4.
    #[schemars(range(min = 1.0, max = 10.0))]
    pub growth: f64,
    /// Longest step; no limit if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("exclusiveMinimum" = 0.0, "x-unit" = "s"))]
    pub longest: Option<f64>,
    /// Where training ends; predictions go on to `time.end`, which it is if left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("x-unit" = "s"))]
    pub end: Option<f64>,
    /// Cells of the box along each axis in training, a coarser mesh than that of the predictions; `mesh.box.cells` if left
    /// out. The layers of `partition.overlap` are fewer by the same factor.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 3), inner(range(min = 1, max = 100_000_000)))]
    pub cells: Option<Vec<u64>>,
}

impl NetworkTime {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for NetworkTime {
    fn default() -> Self {
        Self { first: None, growth: 1.3, longest: None, end: None, cells: None }
    }
}

impl Default for NetworkSection {
    fn default() -> Self {
        Self {
            functions: 2,
            widths: vec![32, 32],
            features: 24,
            steps: 1000,
            samples: 8,
            rate: 1e-2,
            seed: 0,
            tests: 8,
            every: 50,
            file: "network.h5".into(),
            time: NetworkTime::default(),
        }
    }
}
