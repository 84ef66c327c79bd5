//! Columns, transforms and short ways to evaluate texts over them.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Date32Array, Decimal128Array, Float32Array,
    Float64Array, Int8Array, Int64Array, ListArray, RecordBatch, StringArray, StructArray,
    TimestampMicrosecondArray, UInt64Array,
};
use arrow::datatypes::{Field as ArrowField, Float64Type, Int64Type, Schema};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use unskew_definition::{DataType, Field, Name, TransformSignature};
use unskew_expression::{
    Callable, ExpressionError, FunctionCatalog, FunctionRef, KernelCatalog, SqlExpression,
};
use unskew_host::{CallError, CallMetrics, Outcome, RowError, RowStatus, TransformKernel};

pub fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

pub fn field(text: &str, data_type: &str, nullable: bool) -> Field {
    Field { name: name(text), data_type: data_type.parse().unwrap(), nullable }
}

/// A batch with a column of most types; all may be null but `id`.
pub fn columns() -> Vec<Field> {
    vec![
        field("id", "int64", false),
        field("i", "int64", true),
        field("j", "int64", true),
        field("tiny", "int8", true),
        field("big", "uint64", true),
        field("x", "float64", true),
        field("y", "float64", true),
        field("f", "float32", true),
        field("s", "utf8", true),
        field("b", "bool", true),
        field("d", "date32", true),
        field("t", "timestamp", true),
        field("m", "decimal128(10,2)", true),
        field("l", "list<int64?>", true),
        field("p", "struct<a:int64,c:utf8?>", true),
    ]
}

pub fn batch() -> RecordBatch {
    let day = 86_400_000_000i64;
    let columns_given: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![0, 1, 2, 3, 4, 5])),
        Arc::new(Int64Array::from(vec![
            Some(1),
            Some(-7),
            None,
            Some(i64::MAX),
            Some(i64::MIN),
            Some(0),
        ])),
        Arc::new(Int64Array::from(vec![Some(2), Some(0), Some(5), Some(1), Some(-1), None])),
        Arc::new(Int8Array::from(vec![Some(1), Some(127), None, Some(-128), Some(3), Some(0)])),
        Arc::new(UInt64Array::from(vec![Some(1), Some(u64::MAX), None, Some(0), Some(7), Some(9)])),
        Arc::new(Float64Array::from(vec![
            Some(1.5),
            Some(-0.0),
            None,
            Some(f64::NAN),
            Some(f64::INFINITY),
            Some(2.5),
        ])),
        Arc::new(Float64Array::from(vec![
            Some(2.0),
            Some(0.0),
            Some(0.0),
            Some(1.0),
            None,
            Some(-3.0),
        ])),
        Arc::new(Float32Array::from(vec![
            Some(0.1),
            Some(-0.0),
            None,
            Some(-f32::NAN),
            Some(f32::MAX),
            Some(1.0),
        ])),
        Arc::new(StringArray::from(vec![
            Some("abc"),
            Some(""),
            None,
            Some("12"),
            Some("Ünï😀"),
            Some("x"),
        ])),
        Arc::new(BooleanArray::from(vec![
            Some(true),
            Some(false),
            None,
            Some(true),
            Some(false),
            None,
        ])),
        Arc::new(Date32Array::from(vec![
            Some(0),
            Some(-1),
            None,
            Some(20_000),
            Some(19_782),
            Some(1),
        ])),
        Arc::new(
            TimestampMicrosecondArray::from(vec![
                Some(0),
                Some(-1),
                None,
                Some(20_000 * day + 3_661_000_001),
                Some(253_402_300_799_999_999),
                Some(day),
            ])
            .with_timezone("UTC"),
        ),
        Arc::new(
            Decimal128Array::from(vec![
                Some(150),
                Some(-250),
                None,
                Some(9_999_999_999),
                Some(0),
                Some(5),
            ])
            .with_precision_and_scale(10, 2)
            .unwrap(),
        ),
        Arc::new(ListArray::from_iter_primitive::<Int64Type, _, _>(vec![
            Some(vec![Some(1), None, Some(3)]),
            Some(vec![]),
            None,
            Some(vec![None]),
            Some(vec![Some(-7)]),
            Some(vec![Some(0), Some(0)]),
        ])),
        {
            let fields = match "struct<a:int64,c:utf8?>".parse::<DataType>().unwrap().to_arrow() {
                arrow::datatypes::DataType::Struct(fields) => fields,
                _ => unreachable!(),
            };
            let nulls = vec![true, true, false, true, true, true].into();
            Arc::new(StructArray::new(
                fields,
                vec![
                    Arc::new(Int64Array::from(vec![10, 20, 0, 40, 50, 60])),
                    Arc::new(StringArray::from(vec![
                        Some("u"),
                        None,
                        None,
                        Some("w"),
                        Some("v"),
                        Some(""),
                    ])),
                ],
                Some(nulls),
            ))
        },
    ];
    batch_of(&columns(), columns_given)
}

pub fn batch_of(fields: &[Field], arrays: Vec<ArrayRef>) -> RecordBatch {
    let schema: Vec<_> = fields
        .iter()
        .map(|f| ArrowField::new(f.name.as_str(), f.data_type.to_arrow(), f.nullable))
        .collect();
    let arrays = arrays
        .into_iter()
        .zip(fields)
        .map(|(array, field)| arrow::compute::cast(&array, &field.data_type.to_arrow()).unwrap())
        .collect();
    RecordBatch::try_new(Arc::new(Schema::new(schema)), arrays).unwrap()
}

/// Two native transforms: `half(x: float64) -> half: float64`, which fails for
/// negative numbers, and `split(i: int64) -> q: int64, r: int64?`.
pub struct Transforms(Vec<(Name, TransformSignature)>);

impl Transforms {
    pub fn new() -> Self {
        let signature = |text: &str, inputs: Vec<Field>, outputs: Vec<Field>| TransformSignature {
            name: name(text),
            description: String::new(),
            inputs,
            outputs,
        };
        Self(vec![
            (
                name("shop"),
                signature(
                    "half",
                    vec![field("x", "float64", false)],
                    vec![field("half", "float64", false)],
                ),
            ),
            (
                name("shop"),
                signature(
                    "split",
                    vec![field("i", "int64", false), field("by", "int64", false)],
                    vec![field("q", "int64", false), field("r", "int64", true)],
                ),
            ),
            (
                name("other"),
                signature(
                    "split",
                    vec![field("i", "int64", false)],
                    vec![field("v", "int64", false)],
                ),
            ),
            (
                name("other"),
                signature(
                    "later",
                    vec![field("at", "timestamp", true)],
                    vec![field("at", "timestamp", true)],
                ),
            ),
        ])
    }
}

impl FunctionCatalog for Transforms {
    fn callables(&self) -> Vec<Callable<'_>> {
        self.0.iter().map(|(module, signature)| Callable { module, signature }).collect()
    }
}

impl KernelCatalog for Transforms {
    fn kernel(&self, function: &FunctionRef) -> Option<Arc<dyn TransformKernel>> {
        let (_, signature) = self
            .0
            .iter()
            .find(|(module, s)| *module == function.module && s.name == function.transform)?;
        Some(Arc::new(NativeTransform { signature: signature.clone() }))
    }
}

struct NativeTransform {
    signature: TransformSignature,
}

impl TransformKernel for NativeTransform {
    fn signature(&self) -> &TransformSignature {
        &self.signature
    }

    fn transform(
        &self,
        arguments: &RecordBatch,
        max_errors: Option<u64>,
    ) -> Result<Outcome, CallError> {
        let mut errors = Vec::new();
        let mut fail = |row: usize, message: &str| {
            errors.push(RowError { row, status: RowStatus::Failed, message: message.to_owned() });
        };
        let rows = arguments.num_rows();
        let columns: Vec<ArrayRef> = match self.signature.name.as_str() {
            "half" => {
                let x = arguments.column(0).as_primitive::<Float64Type>();
                let half = (0..rows).map(|row| {
                    x.is_valid(row).then(|| x.value(row)).and_then(|x| {
                        if x < 0.0 {
                            fail(row, "negative");
                            return None;
                        }
                        Some(x / 2.0)
                    })
                });
                vec![Arc::new(half.collect::<Float64Array>())]
            }
            "split" if self.signature.inputs.len() == 2 => {
                let i = arguments.column(0).as_primitive::<Int64Type>();
                let by = arguments.column(1).as_primitive::<Int64Type>();
                let (mut q, mut r) = (Vec::new(), Vec::new());
                for row in 0..rows {
                    let given = i.is_valid(row) && by.is_valid(row);
                    let quotient = given.then(|| i.value(row).checked_div(by.value(row))).flatten();
                    if given && quotient.is_none() {
                        fail(row, "no quotient");
                    }
                    q.push(quotient);
                    r.push(quotient.and_then(|_| i.value(row).checked_rem(by.value(row))));
                }
                vec![Arc::new(Int64Array::from(q)), Arc::new(Int64Array::from(r))]
            }
            _ => vec![Arc::clone(arguments.column(0))],
        };
        if let Some(limit) = max_errors
            && errors.len() as u64 > limit
        {
            errors.truncate(limit as usize + 1);
            return Err(CallError::TooManyErrors { function: "native".into(), limit, errors });
        }
        Ok(Outcome { columns, errors, metrics: CallMetrics::default() })
    }
}

pub fn analyze(text: &str) -> Result<SqlExpression, ExpressionError> {
    SqlExpression::analyze(text, &columns(), &Transforms::new())
}

pub fn outcome(text: &str, batch: &RecordBatch) -> Outcome {
    let expression = analyze(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    expression.bind(&Transforms::new()).unwrap().evaluate(batch, None).unwrap()
}

/// Each row's value as text, or `!message` where it failed.
pub fn shown(outcome: &Outcome) -> Vec<String> {
    let column = &outcome.columns[0];
    let options = FormatOptions::default().with_null("null");
    let formatter = ArrayFormatter::try_new(column, &options).unwrap();
    let mut rows: Vec<String> = (0..column.len())
        .map(|row| match column.is_null(row) {
            true => "null".to_owned(),
            false => formatter.value(row).to_string(),
        })
        .collect();
    for RowError { row, message, .. } in &outcome.errors {
        assert!(column.is_null(*row), "a failed row is null");
        rows[*row] = format!("!{message}");
    }
    rows
}

pub fn values(text: &str) -> Vec<String> {
    shown(&outcome(text, &batch()))
}
