//! What depends on what, column by column, from source fields to services.

mod derive;

use std::collections::{BTreeSet, VecDeque};
use std::fmt;

use serde::Serialize;
use unskew_definition::Name;

use crate::step_plan::ViewId;

/// What depends on what. Derived from the plan, never typed in.
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

/// Something that has a value, or a service that reads values.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(tag = "node", rename_all = "snake_case")]
pub enum LineageNode {
    /// A field of a source.
    SourceField {
        /// the source
        source: Name,
        /// the field; of a field inside of a struct `field.part`
        field: String,
    },
    /// A column that a step or an aggregate of a view makes.
    Column {
        /// the view
        view: ViewId,
        /// the column; of a field inside of a struct `column.part`
        column: String,
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
    /// It decides which rows count: `filter`, `where`, `event_id`.
    Filter,
    /// It says whom the value describes: a join key.
    Key,
    /// It says when and in which order: event time, created time, broker time,
    /// partition and offset.
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
            Self::Feature { view, feature } => {
                write!(f, "{}:{feature}@v{}", view.name, view.version)
            }
            Self::RequestTimestamp => f.write_str("request_timestamp"),
            Self::Service { service } => write!(f, "service {service}"),
        }
    }
}

impl fmt::Display for LineageEdge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {} ({})", self.from, self.to, self.kind)
    }
}

/// One edge a line.
impl fmt::Display for Lineage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.edges.iter().try_for_each(|edge| writeln!(f, "{edge}"))
    }
}

impl LineageNode {
    /// Whether `self` is `other`, or the struct that `other` is a field of.
    fn holds(&self, other: &Self) -> bool {
        let part = |whole: &str, part: &str| {
            part.strip_prefix(whole).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        match (self, other) {
            (
                Self::SourceField { source, field },
                Self::SourceField { source: of, field: inner },
            ) => source == of && part(field, inner),
            (Self::Column { view, column }, Self::Column { view: of, column: inner }) => {
                view == of && part(column, inner)
            }
            _ => self == other,
        }
    }
}

impl Lineage {
    /// All edges, sorted.
    pub fn edges(&self) -> &[LineageEdge] {
        &self.edges
    }

    /// Everything that `node` depends on, directly or not, sorted.
    pub fn upstream(&self, node: &LineageNode) -> Vec<LineageNode> {
        let found = self.upstream_edges(node).into_iter().map(|edge| edge.from.clone());
        found.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Everything that depends on `node`, directly or not, sorted. A struct's
    /// field stands for the fields inside of it, too.
    pub fn downstream(&self, node: &LineageNode) -> Vec<LineageNode> {
        let found = self.walk(node, |edge, at| at.holds(&edge.from).then_some(&edge.to));
        found.into_iter().map(|edge| edge.to.clone()).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The edges by which `node` depends on anything, directly or not.
    pub(crate) fn upstream_edges(&self, node: &LineageNode) -> Vec<&LineageEdge> {
        self.walk(node, |edge, at| edge.to.holds(at).then_some(&edge.from))
    }

    /// The edges that are met from a node on, where `next` says what an edge
    /// leads to from a node, if it begins there.
    fn walk<'a>(
        &'a self,
        start: &LineageNode,
        next: impl Fn(&'a LineageEdge, &LineageNode) -> Option<&'a LineageNode>,
    ) -> Vec<&'a LineageEdge> {
        let mut met = BTreeSet::new();
        let mut seen = BTreeSet::from([start.clone()]);
        let mut waiting = VecDeque::from([start.clone()]);
        while let Some(at) = waiting.pop_front() {
            for edge in &self.edges {
                if let Some(to) = next(edge, &at) {
                    met.insert(edge);
                    if seen.insert(to.clone()) {
                        waiting.push_back(to.clone());
                    }
                }
            }
        }
        met.into_iter().collect()
    }
}
