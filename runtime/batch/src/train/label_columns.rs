use std::collections::BTreeMap;

use unskew_definition::{DataType, Name};
use unskew_executor::service::ServiceOperator;
use unskew_plan::OnDemandOrigin;

use crate::error::BatchError;
use crate::train::TrainingJob;
use crate::train::labels::{LabelColumn, Labels};

/// Where the labels hold what a service is asked with.
#[derive(Debug)]
pub(crate) struct LabelColumns {
    /// By join key.
    pub(crate) keys: BTreeMap<Name, LabelColumn>,
    /// By request source and field.
    pub(crate) requests: BTreeMap<(Name, Name), LabelColumn>,
}

impl LabelColumns {
    /// Finds all columns that the service needs; refuses names of the job that
    /// it does not have.
    pub(crate) fn find(
        job: &TrainingJob,
        labels: &Labels,
        operator: &ServiceOperator,
    ) -> Result<Self, BatchError> {
        let column_of = |name: &str| {
            let given = job.columns.iter().find(|(wanted, _)| wanted == name);
            given.map_or(name, |(_, column)| column.as_str()).to_owned()
        };
        let mut types: BTreeMap<Name, DataType> = BTreeMap::new();
        for view in operator.views() {
            for key in &view.join_keys {
                types.insert(key.name.clone(), key.data_type.clone());
            }
        }
        let mut known: Vec<String> = types.keys().map(ToString::to_string).collect();
        let mut keys = BTreeMap::new();
        for (key, data_type) in types {
            let what = format!("the join key {key}");
            let column = labels.column(&column_of(key.as_str()), &data_type, &what, "--column")?;
            keys.insert(key, column);
        }
        let mut requests = BTreeMap::new();
        for view in operator.on_demand_views() {
            for input in &view.inputs {
                let OnDemandOrigin::Request { source, field } = &input.from else { continue };
                let field = &source.fields[*field];
                let full = format!("{}:{}", source.name, field.name);
                let named = job.columns.iter().any(|(wanted, _)| *wanted == full);
                let column = if named { column_of(&full) } else { column_of(field.name.as_str()) };
                let what = format!("the request field {full}");
                let column = labels.column(&column, &field.data_type, &what, "--column")?;
                requests.insert((source.name.clone(), field.name.clone()), column);
                known.extend([full, field.name.to_string()]);
            }
        }
        for (name, _) in &job.columns {
            if !known.contains(name) {
                known.sort();
                known.dedup();
                return Err(BatchError::WrongOption(format!(
                    "--column {name}=...: the service has no join key or request field {name:?}; it has {}",
                    known.join(", ")
                )));
            }
        }
        Ok(Self { keys, requests })
    }
}
