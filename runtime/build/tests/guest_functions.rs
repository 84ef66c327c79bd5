//! What a real module computes through the two traits by which all else knows
//! it: aggregates as kernels of windows, transforms by name in SQL. A trap is
//! an error of its group, or of its row, alone.

mod projects;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray, Float64Array, Int64Array, RecordBatch};
use arrow::buffer::ScalarBuffer;
use arrow::datatypes::{
    DataType as ArrowType, Field as ArrowField, Float64Type, Int64Type, Schema,
};
use projects::{built, project, scratch};
use unskew_definition::{Field, Name};
use unskew_executor::{
    AggregateKernel, GroupStates, ModuleAggregate, ModuleTransform, RowOrder, RowTie,
    TransformKernel,
};
use unskew_expression::{
    BoundExpression, Callable, FunctionCatalog, FunctionRef, KernelCatalog, SqlExpression,
};
use unskew_host::{CompiledModule, Host, HostConfig, RowStatus};

const FUNCTIONS: &str = r#"
/// Purchases for each view; panics at a million.
#[unskew::transform]
fn rate(purchases: i64, views: i64) -> Result<f64, String> {
    if views == 0 {
        return Err(format!("{purchases} purchases without a view"));
    }
    assert!(purchases < 1_000_000, "too many");
    Ok(purchases as f64 / views as f64)
}

/// Sums whole numbers; reading a sum of 13 traps, and so does finishing 26.
#[derive(Default)]
struct Sum { sum: i64, rows: i64 }

impl unskew::State for Sum {
    fn encode(&self, to: &mut unskew::StateWriter<'_>) {
        unskew::State::encode(&self.sum, to);
        unskew::State::encode(&self.rows, to);
    }
    fn decode(from: &mut unskew::StateReader<'_>) -> Result<Self, unskew::StateError> {
        let sum = <i64 as unskew::State>::decode(from)?;
        assert!(sum != 13, "thirteen");
        Ok(Self { sum, rows: unskew::State::decode(from)? })
    }
}

#[unskew::aggregate]
impl Sum {
    fn update(&mut self, x: i64) -> Result<(), String> {
        if x == -1 {
            return Err("minus one".to_owned());
        }
        self.sum += x;
        self.rows += 1;
        Ok(())
    }
    fn merge(&mut self, other: &Self) { self.sum += other.sum; self.rows += other.rows; }
    fn subtract(&mut self, other: &Self) { self.sum -= other.sum; self.rows -= other.rows; }
    fn finish(&self) -> Option<i64> {
        assert!(self.sum != 26, "twenty-six");
        (self.rows > 0).then_some(self.sum)
    }
}

unskew::module!(name = "shop", transforms = [rate], aggregates = [Sum]);
"#;

fn module() -> CompiledModule {
    let component = built(&project("functions", FUNCTIONS)).component;
    let config = HostConfig { cache_dir: Some(scratch("cache")), ..HostConfig::default() };
    Host::new(config).unwrap().load(&component).unwrap()
}

fn fold(
    kernel: &dyn AggregateKernel,
    rows: &[Option<i64>],
    groups: &[u32],
    count: usize,
) -> Box<dyn GroupStates> {
    let column: ArrayRef = Arc::new(Int64Array::from(rows.to_vec()));
    let times = ScalarBuffer::from(vec![0_i64; rows.len()]);
    let positions = ScalarBuffer::from((0..rows.len() as u32).collect::<Vec<_>>());
    let order = RowOrder::new(times, None, RowTie::Position { positions });
    kernel.partial(&[column], &order, groups, count).unwrap()
}

/// The values, and `!status` of the groups that failed.
fn finished(states: &dyn GroupStates) -> Vec<String> {
    let outcome = states.finish().unwrap();
    let column = outcome.columns[0].as_primitive::<Int64Type>();
    let mut shown: Vec<String> = column
        .iter()
        .map(|value| value.map_or_else(|| "null".to_owned(), |value| value.to_string()))
        .collect();
    assert!(outcome.errors.is_sorted_by(|a, b| a.row < b.row));
    for error in outcome.errors {
        assert!(column.is_null(error.row));
        shown[error.row] = format!("!{}", error.status);
    }
    shown
}

#[test]
fn a_trap_in_an_aggregate_is_an_error_of_its_group_alone() {
    let kernel = ModuleAggregate::find(&module(), "sum").unwrap();
    assert!(kernel.subtracts());
    assert_eq!(kernel.output().data_type.to_string(), "int64");
    let rows = [Some(1), Some(2), None, Some(-1), Some(5), Some(10), Some(3), Some(26)];
    let mut states = fold(&kernel, &rows, &[0, 0, 1, 2, 2, 3, 3, 5], 6);
    // Nulls and rows that fail count for nothing; 13 cannot be read again, and
    // 26 not be finished.
    assert_eq!(finished(states.as_ref()), ["3", "null", "5", "!trapped", "null", "!trapped"]);
    let encoded = states.encode();
    assert_eq!(encoded.null_count(), 0);
    let again = kernel.decode(&encoded).unwrap();
    assert_eq!(finished(again.as_ref()), finished(states.as_ref()));
    assert_eq!(again.encode(), encoded);

    let more = fold(&kernel, &[Some(4), Some(7)], &[0, 1], 2);
    states.merge(&[0, 1, 2, 3, 5], more.as_ref(), &[0, 1, 0, 0, 1]).unwrap();
    assert_eq!(finished(states.as_ref()), ["7", "7", "9", "!trapped", "null", "33"]);
    let encoded = states.encode();
    assert!(encoded.is_null(3) && encoded.null_count() == 1, "its merge has trapped");
    assert_eq!(finished(kernel.decode(&encoded).unwrap().as_ref())[3], "!failed");
    states.subtract(&[0, 5], more.as_ref(), &[0, 0]).unwrap();
    assert_eq!(finished(states.as_ref())[0], "3");
    assert_eq!(finished(states.as_ref())[5], "29");
    states.assign(&[4], more.as_ref(), &[1]);
    let mut taken = states.take(&[4, 0, 4]);
    taken.append(more);
    assert_eq!(finished(taken.as_ref()), ["7", "3", "7", "4", "7"]);
    assert_eq!((taken.len(), taken.memory_bytes() > 0), (5, true));
    // Stored bytes that are no state are an error of their group.
    let damaged = kernel.decode(&BinaryArray::from_vec(vec![b"?", b""])).unwrap();
    assert!(finished(damaged.as_ref()).iter().all(|shown| shown.starts_with('!')));
    let none = fold(&kernel, &[], &[], 0);
    assert!(none.is_empty() && finished(none.as_ref()).is_empty());
    let error = ModuleAggregate::find(&module(), "summ").err().unwrap().to_string();
    assert!(error.contains("did you mean \"sum\""), "{error}");
}

struct Shop(CompiledModule, Name);

impl FunctionCatalog for Shop {
    fn callables(&self) -> Vec<Callable<'_>> {
        let transforms = &self.0.manifest().transforms;
        transforms.iter().map(|signature| Callable { module: &self.1, signature }).collect()
    }
}

impl KernelCatalog for Shop {
    fn kernel(&self, function: &FunctionRef) -> Option<Arc<dyn TransformKernel>> {
        let found = ModuleTransform::find(&self.0, function.transform.as_str()).ok()?;
        Some(Arc::new(found))
    }
}

#[test]
fn a_trap_in_a_transform_that_sql_calls_is_an_error_of_its_row_alone() {
    let shop = Shop(module(), Name::new("shop").unwrap());
    let name = |text| Name::new(text).unwrap();
    let int64 = || "int64".parse().unwrap();
    let columns = [
        Field { name: name("p"), data_type: int64(), nullable: true },
        Field { name: name("v"), data_type: int64(), nullable: true },
    ];
    let schema = Schema::new(vec![
        ArrowField::new("p", ArrowType::Int64, true),
        ArrowField::new("v", ArrowType::Int64, true),
    ]);
    let p =
        Int64Array::from(vec![Some(1), Some(2_000_000), None, Some(3), Some(9), Some(1_000_000)]);
    let v = Int64Array::from(vec![Some(2), Some(4), Some(1), Some(0), Some(3), Some(0)]);
    let batch = RecordBatch::try_new(Arc::new(schema), vec![Arc::new(p), Arc::new(v)]).unwrap();
    let evaluate = |text: &str| {
        let bound: BoundExpression =
            SqlExpression::analyze(text, &columns, &shop).unwrap().bind(&shop).unwrap();
        let outcome = bound.evaluate(&batch, None).unwrap();
        let values = outcome.columns[0].as_primitive::<Float64Type>().clone();
        let errors: Vec<_> = outcome.errors.iter().map(|e| (e.row, e.status)).collect();
        (values, errors)
    };
    use RowStatus::{Failed, Trapped};
    let (values, errors) = evaluate("rate(p, v) * 2");
    assert_eq!(values, Float64Array::from(vec![Some(1.0), None, None, None, Some(6.0), None]));
    assert_eq!(errors, [(1, Trapped), (3, Failed), (5, Failed)]);
    let (values, errors) =
        evaluate("CASE WHEN v = 0 THEN -1 WHEN p < 1000000 THEN shop.rate(p, v) END");
    assert_eq!(
        values,
        Float64Array::from(vec![Some(0.5), None, None, Some(-1.0), Some(3.0), Some(-1.0)])
    );
    assert_eq!(errors, []);
    let (values, errors) = evaluate("CASE WHEN v <> 0 THEN rate(p, v) ELSE rate(1000000, 1) END");
    assert_eq!(values, Float64Array::from(vec![Some(0.5), None, None, None, Some(3.0), None]));
    assert_eq!(errors, [(1, Trapped), (3, Trapped), (5, Trapped)]);
}
