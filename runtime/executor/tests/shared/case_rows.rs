//! Rows and questions of a case, as the kernel takes them.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use arrow::array::{Array, ArrayRef, StringArray, UInt32Array};
use arrow::compute::take_record_batch;
use serde_json::{Map, Value};
use unskew_cases::{Case, Question, event_batch, parse_time, spelled};
use unskew_definition::DataType;
use unskew_executor::rows::{Acceptance, AcceptedRows, ColumnReader, SourceReader};
use unskew_executor::service::{Questions, ServiceOperator};
use unskew_plan::{OnDemandOrigin, SourcePlan};

#[derive(Clone, Copy, Debug)]
pub(crate) enum Order {
    AsWritten,
    Reversed,
    Shuffled,
}

impl Order {
    /// The rows in this order, cut into pieces.
    pub(crate) fn pieces(self, rows: usize) -> Vec<Vec<u32>> {
        let mut order: Vec<u32> = (0..rows as u32).collect();
        let piece = match self {
            Self::AsWritten => return vec![order],
            Self::Reversed => 2,
            Self::Shuffled => 3.max(rows / 5),
        };
        match self {
            Self::Shuffled => {
                order.sort_by_key(|row| row.wrapping_mul(2_654_435_761).rotate_left(7))
            }
            _ => order.reverse(),
        }
        let pieces = if rows > 10_000 { rows / 3 } else { piece };
        order.chunks(pieces).map(<[u32]>::to_vec).collect()
    }
}

pub(crate) fn accepted(
    case: &Case,
    source: &Arc<SourcePlan>,
    order: Order,
) -> anyhow::Result<AcceptedRows> {
    let mut acceptance = Acceptance::new(Arc::clone(source));
    let place: Arc<str> = "events".into();
    if let Some(events) = case.events.get(source.name.as_str()) {
        let batch = event_batch(events, source)?;
        let reader = SourceReader::new(source, &batch.schema())?;
        for rows in order.pieces(batch.num_rows()) {
            let piece = take_record_batch(&batch, &UInt32Array::from(rows.clone()))?;
            let read = reader.read(&piece)?;
            // One by one where the order is not that of the numbers.
            if matches!(order, Order::AsWritten) {
                acceptance.push(&read, &place, 0)?;
                continue;
            }
            for (at, row) in rows.into_iter().enumerate() {
                if batch.num_rows() > 10_000 {
                    acceptance.push(&read, &place, 0)?;
                    break;
                }
                let one = reader.read(&piece.slice(at, 1))?;
                acceptance.push(&one, &place, u64::from(row))?;
            }
        }
    }
    Ok(acceptance.finish()?)
}

pub(crate) fn questions_of(
    operator: &ServiceOperator,
    questions: &[&Question],
) -> anyhow::Result<Questions> {
    let times = questions.iter().map(|question| parse_time(&question.at));
    let mut asked = Questions::new(times.collect::<anyhow::Result<_>>()?);
    let column =
        |of: &dyn Fn(&Question) -> &Map<String, Value>, name: &str, data_type: &DataType| {
            let texts = questions.iter().map(|question| spelled(of(question).get(name)));
            let texts: ArrayRef = Arc::new(StringArray::from_iter(texts));
            let reader = ColumnReader::new(texts.data_type(), data_type).context("text is read")?;
            let (column, faults) = reader.read(&texts)?;
            ensure!(faults.is_empty(), "{name}: {faults:?}");
            anyhow::Ok(column)
        };
    for view in operator.views() {
        for key in &view.join_keys {
            let values = column(&|q: &Question| &q.entity, key.name.as_str(), &key.data_type)?;
            asked.set_join_key(key.name.clone(), values)?;
        }
    }
    for view in operator.on_demand_views() {
        for input in &view.inputs {
            if let OnDemandOrigin::Request { source, field } = &input.from {
                let field = &source.fields[*field];
                let values =
                    column(&|q: &Question| &q.request, field.name.as_str(), &field.data_type)?;
                asked.set_request_field(source.name.clone(), field.name.clone(), values)?;
            }
        }
    }
    Ok(asked)
}
