//! A deck as a whole.
use super::constraint::ConstraintSection;
use super::document::Document;
use super::network::ExpertsSection;
use super::parameter::{self, Parameter};
use super::physics::Physics;
use super::random::RandomField;
use super::sections::{
    CampaignSection, CellShape, CheckpointSection, Exact, Initial, MeshSection, OutputSection,
    PartitionSection, Quantity, RomSection, SolverOptions, TimeSection,
};
use crate::Diagnostic;
use crate::mesh::CellType;
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::rc::Rc;

/// The input of a run.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Deck {
    /// One line for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// The mesh.
    pub mesh: MeshSection,
    /// How the mesh is divided over ranks and experts.
    #[serde(default)]
    pub partition: PartitionSection,
    /// Numbers that expressions may use and campaigns vary.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty", deserialize_with = "parameter::parameters")]
    pub parameters: IndexMap<String, Parameter>,
    /// Gaussian random fields that expressions may use.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub random: IndexMap<String, RandomField>,
    /// The models, solved in this order; a later one may use an earlier one's field.
    #[schemars(length(min = 1))]
    pub physics: Vec<Physics>,
    /// Integration in time; a deck without it is steady.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<TimeSection>,
    /// Initial values; a field without one starts from zero.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub initial: Vec<Initial>,
    /// Linear solver.
    #[serde(default)]
    pub solver: SolverOptions,
    /// What a run writes.
    #[serde(default)]
    pub output: OutputSection,
    /// Checkpoints of a run in time.
    #[serde(default)]
    pub checkpoint: CheckpointSection,
    /// Quantities of interest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quantity: Vec<Quantity>,
    /// Known solutions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exact: Vec<Exact>,
    /// Hard constraint that repairs predictions.
    #[serde(default)]
    pub constraint: ConstraintSection,
    /// What experts learn.
    #[serde(default, skip_serializing_if = "ExpertsSection::is_default")]
    pub experts: ExpertsSection,
    /// Many runs over a design of the parameters.
    #[serde(default)]
    pub campaign: CampaignSection,
    /// Reduced-order model.
    #[serde(default)]
    pub rom: RomSection,
    /// The text it was read from, for messages.
    #[serde(skip)]
    pub(super) document: Option<Rc<Document>>,
    /// What is allowed, but hardly meant.
    #[serde(skip)]
    pub(super) notes: Vec<Diagnostic>,
}

impl Deck {
    /// Parameters and physics, and no mesh.
    pub(super) fn of_physics(parameters: IndexMap<String, Parameter>, physics: Vec<Physics>) -> Self {
        Self {
            title: String::new(),
            mesh: MeshSection { file: None, scale: 1.0, block: None },
            partition: PartitionSection::default(),
            parameters,
            random: IndexMap::new(),
            physics,
            time: None,
            initial: Vec::new(),
            solver: SolverOptions::default(),
            output: OutputSection::default(),
            checkpoint: CheckpointSection::default(),
            quantity: Vec::new(),
            exact: Vec::new(),
            constraint: ConstraintSection::default(),
            experts: ExpertsSection::default(),
            campaign: CampaignSection::default(),
            rom: RomSection::default(),
            document: None,
            notes: Vec::new(),
        }
    }
}

impl From<CellShape> for CellType {
    fn from(shape: CellShape) -> Self {
        match shape {
            CellShape::Interval => Self::Interval,
            CellShape::Triangle => Self::Triangle,
            CellShape::Quadrilateral => Self::Quadrilateral,
            CellShape::Tetrahedron => Self::Tetrahedron,
            CellShape::Hexahedron => Self::Hexahedron,
        }
    }
}
