use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::TimestampMicrosecondType;
use unskew_definition::{DataType, Name};
use unskew_executor::arrow_name;
use unskew_executor::rows::ColumnReader;
use unskew_executor::service::{Questions, ServiceOperator};
use unskew_plan::OnDemandOrigin;

use crate::error::BatchError;
use crate::table_reader::TableReader;
use crate::train::TrainingJob;

/// A file of labels, whole, as it stands in the file.
pub(crate) struct LabelFile {
    path: PathBuf,
    pub(crate) batch: RecordBatch,
}

impl LabelFile {
    pub(crate) fn read(path: &Path, cancelled: &dyn Fn() -> bool) -> Result<Self, BatchError> {
        let mut table = TableReader::open(path, None, None, cancelled)?;
        let schema = Arc::clone(table.schema());
        let mut batches = Vec::new();
        while let Some((_, batch)) = table.next_batch()? {
            if cancelled() {
                return Err(BatchError::Cancelled);
            }
            batches.push(batch);
        }
        let batch = concat_batches(&schema, &batches).map_err(|error| BatchError::Internal {
            path: path.to_owned(),
            reason: error.to_string(),
        })?;
        Ok(Self { path: path.to_owned(), batch })
    }

    /// What the labels ask of a service.
    pub(crate) fn questions(
        &self,
        job: &TrainingJob,
        operator: &ServiceOperator,
    ) -> Result<Questions, BatchError> {
        let column_of = |name: &str| {
            let given = job.columns.iter().find(|(wanted, _)| wanted == name);
            given.map_or(name, |(_, column)| column.as_str()).to_owned()
        };
        let times = self.column(
            &job.label_time,
            &DataType::Timestamp,
            "the time of each label",
            "--label-time",
        )?;
        if let Some(row) = (0..times.len()).find(|row| times.is_null(*row)) {
            return Err(self.wrong(format!(
                "row {row}: {:?} is null; a label without a time asks nothing: leave it out",
                job.label_time
            )));
        }
        let times = times.as_primitive::<TimestampMicrosecondType>().values().to_vec();
        let mut questions = Questions::new(times);
        let failed = |source| BatchError::Training { source: Box::new(source) };

        let mut keys: BTreeMap<Name, DataType> = BTreeMap::new();
        for view in operator.views() {
            for key in &view.join_keys {
                keys.insert(key.name.clone(), key.data_type.clone());
            }
        }
        let mut known: Vec<String> = keys.keys().map(|key| key.to_string()).collect();
        for (key, data_type) in keys {
            let what = format!("the join key {key}");
            let values = self.column(&column_of(key.as_str()), &data_type, &what, "--column")?;
            questions.set_join_key(key, values).map_err(failed)?;
        }
        for view in operator.on_demand_views() {
            for input in &view.inputs {
                let OnDemandOrigin::Request { source, field } = &input.from else { continue };
                let field = &source.fields[*field];
                let full = format!("{}:{}", source.name, field.name);
                let named = job.columns.iter().any(|(wanted, _)| *wanted == full);
                let column = if named { column_of(&full) } else { column_of(field.name.as_str()) };
                let what = format!("the request field {full}");
                let values = self.column(&column, &field.data_type, &what, "--column")?;
                questions
                    .set_request_field(source.name.clone(), field.name.clone(), values)
                    .map_err(failed)?;
                known.extend([full, field.name.to_string()]);
            }
        }
        for (name, _) in &job.columns {
            if !known.contains(name) {
                known.dedup();
                return Err(BatchError::WrongOption(format!(
                    "--column {name}=...: the service has no join key or request field {name:?}; it has {}",
                    known.join(", ")
                )));
            }
        }
        Ok(questions)
    }

    /// A column as values of a type. Every value must be one.
    fn column(
        &self,
        name: &str,
        wanted: &DataType,
        what: &str,
        option: &'static str,
    ) -> Result<ArrayRef, BatchError> {
        let schema = self.batch.schema();
        let Some((at, field)) = schema.column_with_name(name) else {
            let known: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
            return Err(self.wrong(format!(
                "there is no column {name:?}, which holds {what}; the columns are {}; name another with {option}",
                known.join(", ")
            )));
        };
        let reader = ColumnReader::new(field.data_type(), wanted).ok_or_else(|| {
            let found = arrow_name(field.data_type());
            self.wrong(format!(
                "column {name:?}, which holds {what}, is {found} and no {wanted}; convert it before"
            ))
        })?;
        let failed = |source| BatchError::Rows { path: self.path.clone(), source };
        let (values, faults) = reader.read(self.batch.column(at)).map_err(failed)?;
        match faults.first() {
            None => Ok(values),
            Some((row, reason)) => {
                Err(self.wrong(format!("row {row}, column {name:?}, which holds {what}: {reason}")))
            }
        }
    }

    fn wrong(&self, reason: String) -> BatchError {
        BatchError::WrongFile { path: self.path.clone(), reason: format!("labels: {reason}") }
    }
}
