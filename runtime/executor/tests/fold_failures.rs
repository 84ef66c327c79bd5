//! Rows that fail in an aggregate count for no state, and are told: each once,
//! by the number under which it came in.

use std::any::Any;
use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef, BinaryArray, Float64Array};
use arrow::compute::{filter, not};
use arrow::datatypes::Float64Type;
use unskew_aggregate::AggregateFunction;
use unskew_definition::{DataType, Field, Name};
use unskew_executor::point_in_time::{EventIndex, Questions, TrailingAggregate, evaluate_trailing};
use unskew_executor::tiles::{TileResolutions, Tiles};
use unskew_executor::window::{
    AggregateRows, EmittedWindows, EmittingWindow, LogOrder, LogRecords, NO_ENTITY, WindowOperator,
    WindowSettings,
};
use unskew_executor::{
    AggregateKernel, BuiltInAggregate, FoldFailures, GroupStates, KernelError, RowOrder, RowTie,
    TrailingWindow, WatermarkSettings,
};
use unskew_host::{Outcome, RowError, RowStatus};

/// A sum in which numbers below zero fail.
struct Picky(BuiltInAggregate);

impl Picky {
    fn new() -> Arc<dyn AggregateKernel> {
        let name = Name::new("picky").unwrap();
        let sum = BuiltInAggregate::new(AggregateFunction::Sum, Some(&DataType::Float64), name);
        Arc::new(Self(sum.unwrap()))
    }
}

impl AggregateKernel for Picky {
    fn inputs(&self) -> &[Field] {
        self.0.inputs()
    }

    fn output(&self) -> &Field {
        self.0.output()
    }

    fn subtracts(&self) -> bool {
        false
    }

    fn partial(
        &self,
        inputs: &[ArrayRef],
        _: &RowOrder,
        groups: &[u32],
        group_count: usize,
    ) -> Result<Box<dyn GroupStates>, KernelError> {
        let numbers = inputs[0].as_primitive::<Float64Type>();
        let fails = numbers.iter().map(|x| Some(x.is_some_and(|x| x < 0.0))).collect();
        let inputs = [filter(&inputs[0], &not(&fails).unwrap()).unwrap()];
        let kept = groups.iter().zip(&fails).filter(|(_, fails)| *fails == Some(false));
        let kept: Vec<u32> = kept.map(|(group, _)| *group).collect();
        let failed = (0..fails.len()).filter(|row| fails.value(*row));
        let errors = failed.map(|row| RowError {
            row,
            status: RowStatus::Failed,
            message: format!("{} is below zero", numbers.value(row)),
        });
        let order = RowOrder::empty();
        let states = self.0.partial(&inputs, &order, &kept, group_count)?;
        Ok(Box::new(PickyStates { states, errors: errors.collect() }))
    }

    fn decode(&self, states: &BinaryArray) -> Result<Box<dyn GroupStates>, KernelError> {
        Ok(Box::new(PickyStates { states: self.0.decode(states)?, errors: Vec::new() }))
    }
}

struct PickyStates {
    states: Box<dyn GroupStates>,
    errors: Vec<RowError>,
}

fn inner(other: &dyn GroupStates) -> &dyn GroupStates {
    &*other.as_any().downcast_ref::<PickyStates>().unwrap().states
}

impl GroupStates for PickyStates {
    fn len(&self) -> usize {
        self.states.len()
    }

    fn merge(
        &mut self,
        into: &[u32],
        other: &dyn GroupStates,
        from: &[u32],
    ) -> Result<(), KernelError> {
        self.states.merge(into, inner(other), from)
    }

    fn subtract(&mut self, _: &[u32], _: &dyn GroupStates, _: &[u32]) -> Result<(), KernelError> {
        unreachable!("it does not subtract")
    }

    fn assign(&mut self, into: &[u32], other: &dyn GroupStates, from: &[u32]) {
        self.states.assign(into, inner(other), from);
    }

    fn append(&mut self, other: Box<dyn GroupStates>) {
        self.states.append(other.into_any().downcast::<Self>().unwrap().states);
    }

    fn take(&self, groups: &[u32]) -> Box<dyn GroupStates> {
        Box::new(Self { states: self.states.take(groups), errors: Vec::new() })
    }

    fn finish(&self) -> Result<Outcome, KernelError> {
        self.states.finish()
    }

    fn take_row_errors(&mut self) -> Vec<RowError> {
        std::mem::take(&mut self.errors)
    }

    fn encode(&self) -> BinaryArray {
        self.states.encode()
    }

    fn memory_bytes(&self) -> usize {
        self.states.memory_bytes()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any> {
        self
    }
}

/// Rows 2 and 4 fail, row 3 is nobody's.
const NUMBERS: [f64; 6] = [1.0, 2.0, -4.0, -8.0, -16.0, 32.0];
const ENTITIES: [u32; 6] = [0, 1, 0, NO_ENTITY, 1, 1];
const TIMES: [i64; 6] = [10, 11, 12, 13, 34, 35];

fn order() -> RowOrder {
    let positions = (0..NUMBERS.len() as u32).collect::<Vec<_>>().into();
    RowOrder::new(TIMES.to_vec().into(), None, RowTie::Position { positions })
}

fn records() -> LogRecords {
    let inputs: Vec<ArrayRef> = vec![Arc::new(Float64Array::from(NUMBERS.to_vec()))];
    LogRecords {
        order: order(),
        broker_timestamps: None,
        partitions: None,
        entities: ENTITIES.to_vec().into(),
        aggregates: vec![AggregateRows { inputs, filter: None }],
    }
}

fn told(failures: &[FoldFailures]) -> Vec<(usize, String)> {
    let [failures] = failures else { panic!("there is one aggregate") };
    failures.errors().into_iter().map(|error| (error.row, error.message)).collect()
}

fn expected() -> Vec<(usize, String)> {
    vec![(2, "-4 is below zero".to_owned()), (4, "-16 is below zero".to_owned())]
}

#[test]
fn windows_tell_of_rows_that_failed() {
    for window in [
        EmittingWindow::Tumbling { size_us: 20, offset_us: 0 },
        EmittingWindow::Sliding { size_us: 20, hop_us: 5, offset_us: 0 },
        EmittingWindow::Session { gap_us: 5 },
    ] {
        for log in [LogOrder::None, LogOrder::Offsets] {
            let watermark = WatermarkSettings::default();
            let settings = WindowSettings { window, watermark, log };
            let mut operator = WindowOperator::new(settings, &[0], vec![Picky::new()]).unwrap();
            let emitted = vec![operator.push(records()).unwrap(), operator.finish().unwrap()];
            assert_eq!(told(operator.failures()), expected(), "{window:?}, {log:?}");
            let emitted = EmittedWindows::concatenated(emitted).unwrap().unwrap();
            let sums = emitted.values[0].columns[0].as_primitive::<Float64Type>();
            assert!(sums.iter().flatten().all(|sum| [1.0, 2.0, 32.0].contains(&sum)));
        }
    }
}

#[test]
fn trailing_windows_and_tiles_tell_of_rows_that_failed() {
    let records = records();
    let seen: Vec<u32> = (0..NUMBERS.len() as u32).filter(|row| *row != 3).collect();
    let entities: Vec<u32> = seen.iter().map(|row| ENTITIES[*row as usize]).collect();
    let numbers: Vec<f64> = seen.iter().map(|row| NUMBERS[*row as usize]).collect();
    let index = EventIndex::new(&entities, &order().take(&seen), 2);
    let questions = Questions::new(&[0, 1], &[40, 40]);
    let kernel = Picky::new();
    let inputs: Vec<ArrayRef> = vec![Arc::new(Float64Array::from(numbers))];
    let window = TrailingWindow { size_us: 40, hop_us: 10 };
    let trailing = TrailingAggregate { kernel: &*kernel, inputs, filter: None, window };
    let answers = evaluate_trailing(&index, &questions, &[trailing]).unwrap();
    // Rows as the index has them, which knows nothing of row 3.
    let rows: Vec<usize> = told(&answers.failures).into_iter().map(|(row, _)| row).collect();
    assert_eq!(rows, [2, 3]);
    let sums = answers.values[0].columns[0].as_primitive::<Float64Type>();
    assert_eq!(sums.values().to_vec(), [1.0, 34.0]);

    let resolutions = TileResolutions::of(&[window]);
    let tiles = Tiles::build(vec![Picky::new()], &resolutions, &records).unwrap();
    assert_eq!(told(tiles.failures()), expected());
}
