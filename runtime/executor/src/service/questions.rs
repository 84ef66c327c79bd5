use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, TimestampMicrosecondArray, UInt32Array};
use arrow::compute::take;
use unskew_definition::Name;
use unskew_plan::{RequestSourcePlan, ViewPlan};

use crate::evaluation_error::EvaluationError;
use crate::rows::CanonicalBytes;

/// Questions to a service, one for each row: which entity, at which time, with
/// which fields of the request.
#[derive(Clone, Debug)]
pub struct Questions {
    times: Vec<i64>,
    keys: HashMap<Name, ArrayRef>,
    requests: HashMap<(Name, Name), ArrayRef>,
}

impl Questions {
    /// Questions at these times, in microseconds since the epoch, UTC.
    pub fn new(times: Vec<i64>) -> Self {
        Self { times, keys: HashMap::new(), requests: HashMap::new() }
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.times.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// The moments of asking, in microseconds.
    pub fn times(&self) -> &[i64] {
        &self.times
    }

    /// Gives the values of a join key, of the type that the entity declares.
    pub fn set_join_key(&mut self, name: Name, values: ArrayRef) -> Result<(), EvaluationError> {
        self.check_length(name.as_str(), &values)?;
        self.keys.insert(name, values);
        Ok(())
    }

    /// Gives the values of a field of a request source, of its type.
    pub fn set_request_field(
        &mut self,
        source: Name,
        field: Name,
        values: ArrayRef,
    ) -> Result<(), EvaluationError> {
        self.check_length(field.as_str(), &values)?;
        self.requests.insert((source, field), values);
        Ok(())
    }

    /// These questions alone, in this order.
    pub fn only(&self, questions: &[usize]) -> Result<Self, EvaluationError> {
        let rows = UInt32Array::from_iter_values(questions.iter().map(|at| *at as u32));
        let mut only = Self::new(questions.iter().map(|at| self.times[*at]).collect());
        for (name, values) in &self.keys {
            only.keys.insert(name.clone(), take(values, &rows, None)?);
        }
        for (name, values) in &self.requests {
            only.requests.insert(name.clone(), take(values, &rows, None)?);
        }
        Ok(only)
    }

    fn check_length(&self, name: &str, values: &ArrayRef) -> Result<(), EvaluationError> {
        if values.len() == self.len() {
            return Ok(());
        }
        Err(EvaluationError::Labels(format!(
            "{name} has {} values for {} questions",
            values.len(),
            self.len()
        )))
    }

    /// The canonical bytes of the join keys of `view`.
    pub(crate) fn keys_of(&self, view: &ViewPlan) -> Result<CanonicalBytes, EvaluationError> {
        let names: Vec<&Name> = view.join_keys.iter().map(|key| &key.name).collect();
        Ok(CanonicalBytes::new(self.columns_of(&names)?))
    }

    /// The values of these join keys.
    pub(crate) fn columns_of(&self, keys: &[&Name]) -> Result<Vec<ArrayRef>, EvaluationError> {
        let of = |name: &&Name| {
            let values = self.keys.get(*name).map(Arc::clone);
            values
                .ok_or_else(|| EvaluationError::Labels(format!("no values of the join key {name}")))
        };
        keys.iter().map(of).collect()
    }

    /// The values of a request field.
    pub(crate) fn request_field(
        &self,
        source: &RequestSourcePlan,
        field: usize,
    ) -> Result<ArrayRef, EvaluationError> {
        let name = &source.fields[field].name;
        let values = self.requests.get(&(source.name.clone(), name.clone()));
        values.map(Arc::clone).ok_or_else(|| {
            EvaluationError::Labels(format!(
                "no values of the request field {}:{name}",
                source.name
            ))
        })
    }

    /// The moments of asking as a column.
    pub(crate) fn request_timestamp(&self) -> ArrayRef {
        let times = TimestampMicrosecondArray::from(self.times.clone());
        Arc::new(times.with_timezone("UTC"))
    }
}
