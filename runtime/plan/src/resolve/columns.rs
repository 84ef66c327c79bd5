use std::collections::BTreeSet;

use unskew_definition::{Field, Name, meant};

use crate::resolve::Found;
use crate::step_plan::ColumnPlan;

/// The columns that a step can see. Those that a mistake kept from being known
/// are remembered by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Columns {
    pub(super) known: Vec<ColumnPlan>,
    broken: BTreeSet<String>,
    /// There is a column whose name is not known either.
    any_broken: bool,
}

impl Columns {
    pub(super) fn push(&mut self, column: ColumnPlan) {
        self.known.push(column);
    }

    pub(super) fn add_broken(&mut self, name: &str) {
        self.broken.insert(name.to_owned());
    }

    pub(super) fn add_any_broken(&mut self) {
        self.any_broken = true;
    }

    pub(super) fn has(&self, name: &Name) -> bool {
        self.known.iter().any(|column| column.name == *name) || self.broken.contains(name.as_str())
    }

    pub(super) fn find(&self, name: &Name) -> Found<usize> {
        if let Some(at) = self.known.iter().position(|column| column.name == *name) {
            return Found::Known(at);
        }
        if self.any_broken || self.broken.contains(name.as_str()) {
            return Found::Broken;
        }
        let names = self.known.iter().map(|column| column.name.as_str());
        Found::Missing(
            format!("there is no column {:?}", name.as_str()),
            meant(name.as_str(), names),
        )
    }

    /// As SQL sees them.
    pub(super) fn fields(&self) -> Vec<Field> {
        let field = |column: &ColumnPlan| Field {
            name: column.name.clone(),
            data_type: column.data_type.clone(),
            nullable: column.nullable,
        };
        self.known.iter().map(field).collect()
    }

    /// Whether a text of SQL may name a column that is not known because of a
    /// mistake elsewhere.
    pub(super) fn may_name_broken(&self, sql: &str) -> bool {
        let mut words =
            sql.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').filter(|w| !w.is_empty());
        words.any(|word| self.broken.contains(word))
    }

    pub(super) fn has_any_broken(&self) -> bool {
        self.any_broken
    }

    /// Whether any column is not known, with a name or without.
    pub(super) fn has_broken(&self) -> bool {
        self.any_broken || !self.broken.is_empty()
    }
}
