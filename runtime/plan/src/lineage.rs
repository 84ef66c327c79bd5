use std::fmt;

use serde::Serialize;
use unskew_definition::Name;

use crate::step_plan::ViewId;

/// What depends on what, column by column, from source fields to services.
/// Derived from the plan, never typed in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Lineage {
    edges: Vec<LineageEdge>,
}

/// One thing that depends directly on another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct LineageEdge {
    /// What is used.
    pub from: LineageNode,
    /// What uses it.
    pub to: LineageNode,
    /// How.
    pub kind: EdgeKind,
}

/// Something that has a value, and the services that read them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(tag = "node", rename_all = "snake_case")]
pub enum LineageNode {
    /// A field of a source.
    SourceField {
        /// the source
        source: Name,
        /// the field; of a struct's field `field.part`
        field: String,
    },
    /// A column that a step or an aggregate of a view makes.
    Column {
        /// the view
        view: ViewId,
        /// the column
        column: Name,
    },
    /// A feature of a view.
    Feature {
        /// the view
        view: ViewId,
        /// the feature
        feature: Name,
    },
    /// The moment of asking.
    RequestTimestamp,
    /// A service.
    Service {
        /// the service
        service: Name,
    },
}

/// How something uses another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EdgeKind {
    /// Its value is computed from it.
    Value,
    /// It decides which rows count (`filter`, `where`).
    Filter,
    /// It says whom the value describes (a join key).
    Key,
    /// It says when (event time, created time and what else orders rows).
    Time,
}

impl fmt::Display for EdgeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Value => "value",
            Self::Filter => "filter",
            Self::Key => "key",
            Self::Time => "time",
        })
    }
}

impl fmt::Display for LineageNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SourceField { source, field } => write!(f, "{source}.{field}"),
            Self::Column { view, column } => write!(f, "{view}.{column}"),
            Self::Feature { view, feature } => write!(f, "{}:{feature}@v{}", view.name, view.version),
            Self::RequestTimestamp => f.write_str("request_timestamp"),
            Self::Service { service } => write!(f, "service {service}"),
        }
    }
}

impl Lineage {
    /// All edges, sorted.
    pub fn edges(&self) -> &[LineageEdge] {
        &self.edges
    }
}
