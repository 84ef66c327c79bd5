//! Golden cases, held against the manifest of the module that they are for.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field as ArrowField, Schema};
use serde_json::value::RawValue;
use unskew_definition::{AggregateSignature, Field, Manifest, TransformSignature};

use super::document::{AggregateCase, Document, Entries, Object, TransformCase};
use super::{Cell, column};
use crate::failure::UserError;

/// The cases of one file.
pub(super) struct Suite<'m> {
    pub(super) transforms: Vec<TransformSuite<'m>>,
    pub(super) aggregates: Vec<AggregateSuite<'m>>,
}

/// The cases of one transform.
pub(super) struct TransformSuite<'m> {
    pub(super) index: usize,
    pub(super) signature: &'m TransformSignature,
    /// One row for each case.
    pub(super) inputs: RecordBatch,
    pub(super) cases: Vec<Case>,
}

/// The cases of one aggregate.
pub(super) struct AggregateSuite<'m> {
    pub(super) index: usize,
    pub(super) signature: &'m AggregateSignature,
    /// For each case its rows, and those of them that must fail.
    pub(super) inputs: Vec<(RecordBatch, BTreeMap<usize, String>)>,
    pub(super) cases: Vec<Case>,
}

/// What one case expects.
pub(super) struct Case {
    pub(super) name: Option<String>,
    pub(super) expected: Expected,
    pub(super) tolerance: Option<f64>,
}

/// What must come out.
pub(super) enum Expected {
    /// A value for each output.
    Values(Vec<Cell>),
    /// A failure whose text has this part.
    Error(String),
}

impl<'m> Suite<'m> {
    /// Resolves the file `path`, whose text is `text`, against `manifest`.
    pub(super) fn resolve(
        text: &str,
        path: &Path,
        manifest: &'m Manifest,
    ) -> Result<Self, UserError> {
        let file = path.display().to_string();
        let Document { transforms, aggregates, .. } = Document::parse(text).map_err(|error| {
            UserError::new(format!("not a file of golden cases: {error}"))
                .at(&*file)
                .help("its form is {\"transforms\": {NAME: [{\"in\": {ARGUMENT: value}, \"out\": value}]}, \"aggregates\": {NAME: [{\"rows\": [...], \"out\": value}]}}")
        })?;
        let unknown = |kind: &str, name: &str, known: Vec<&str>| {
            let help = match known.as_slice() {
                [] => format!("the module has no {kind}"),
                _ => format!("the module's {kind}s are {}", known.join(", ")),
            };
            UserError::new(format!("cases for the {kind} {name:?}, which the module does not have"))
                .at(&*file)
                .help(help)
        };
        Ok(Self {
            transforms: transforms
                .0
                .iter()
                .map(|(name, cases)| {
                    let (index, signature) = manifest.transform(name).ok_or_else(|| {
                        let known = manifest.transforms.iter().map(|t| t.name.as_str());
                        unknown("transform", name, known.collect())
                    })?;
                    TransformSuite::resolve(cases, index, signature, &file)
                })
                .collect::<Result<_, _>>()?,
            aggregates: aggregates
                .0
                .iter()
                .map(|(name, cases)| {
                    let (index, signature) = manifest.aggregate(name).ok_or_else(|| {
                        let known = manifest.aggregates.iter().map(|a| a.name.as_str());
                        unknown("aggregate", name, known.collect())
                    })?;
                    AggregateSuite::resolve(cases, index, signature, &file)
                })
                .collect::<Result<_, _>>()?,
        })
    }
}

impl<'m> TransformSuite<'m> {
    fn resolve(
        cases: &[Object<TransformCase>],
        index: usize,
        signature: &'m TransformSignature,
        file: &str,
    ) -> Result<Self, UserError> {
        let place = |i: usize, part: &str| {
            place(file, "transform", signature.name.as_str(), i, &cases[i].0.name, part)
        };
        let mut rows = Vec::with_capacity(cases.len());
        for (i, Object(case)) in cases.iter().enumerate() {
            rows.push(by_field(&case.input, &signature.inputs, || place(i, "in"))?);
        }
        let inputs = batch(&signature.inputs, &rows, |row| place(row, "in"))?;
        let resolved = cases.iter().enumerate().map(|(i, Object(case))| {
            let TransformCase { name, output, error, tolerance, .. } = case;
            let expected =
                expected(output.as_deref(), error, &signature.outputs, |part| place(i, part))?;
            let tolerance = checked_tolerance(*tolerance, || place(i, "tolerance"))?;
            Ok(Case { name: name.clone(), expected, tolerance })
        });
        let cases = resolved.collect::<Result<_, UserError>>()?;
        Ok(Self { index, signature, inputs, cases })
    }
}

impl<'m> AggregateSuite<'m> {
    fn resolve(
        cases: &[Object<AggregateCase>],
        index: usize,
        signature: &'m AggregateSignature,
        file: &str,
    ) -> Result<Self, UserError> {
        let mut inputs = Vec::with_capacity(cases.len());
        let mut resolved = Vec::with_capacity(cases.len());
        for (i, Object(case)) in cases.iter().enumerate() {
            let AggregateCase { name, rows, output, error, row_errors, tolerance, .. } = case;
            let place =
                |part: &str| place(file, "aggregate", signature.name.as_str(), i, name, part);
            let row_place = |row: usize| place(&format!("rows[{row}]"));
            let mut split = Vec::with_capacity(rows.len());
            for (row, raw) in rows.iter().enumerate() {
                split.push(by_field(raw, &signature.inputs, || row_place(row))?);
            }
            let batch = batch(&signature.inputs, &split, row_place)?;
            let row_errors = resolve_row_errors(row_errors, rows.len(), || place("row_errors"))?;
            inputs.push((batch, row_errors));
            let outputs = std::slice::from_ref(&signature.output);
            let expected = expected(output.as_deref(), error, outputs, place)?;
            let tolerance = checked_tolerance(*tolerance, || place("tolerance"))?;
            resolved.push(Case { name: name.clone(), expected, tolerance });
        }
        Ok(Self { index, signature, inputs, cases: resolved })
    }
}

/// Cases are counted from 1, as people do; rows from 0, as arrays do.
fn place(
    file: &str,
    kind: &str,
    function: &str,
    case: usize,
    name: &Option<String>,
    part: &str,
) -> String {
    let name = name.as_ref().map(|name| format!(" {name:?}")).unwrap_or_default();
    format!("{file}: {kind} {function}, case {}{name}, {part}", case + 1)
}

/// The value for each of `fields`, in their order.
fn by_field<'a>(
    raw: &'a RawValue,
    fields: &[Field],
    place: impl Fn() -> String,
) -> Result<Vec<&'a RawValue>, UserError> {
    let text = raw.get();
    let names = || fields.iter().map(|f| f.name.as_str()).collect::<Vec<_>>().join(", ");
    let object: Option<Entries<&RawValue>> =
        if text.starts_with('{') {
            Some(serde_json::from_str(text).map_err(|error| {
                UserError::new(format!("not a valid object: {error}")).at(place())
            })?)
        } else {
            None
        };
    let entries = match (object, fields) {
        (None, [_]) => return Ok(vec![raw]),
        (Some(Entries(entries)), [only])
            if !only.data_type.is_scalar()
                && !matches!(entries.as_slice(), [(key, _)] if only.name == **key) =>
        {
            return Ok(vec![raw]);
        }
        (Some(Entries(entries)), _) => entries,
        (None, _) => {
            let what = format!("expected an object, found {}", shortened(text));
            let help = format!("write a value for each of {}", names());
            return Err(UserError::new(what).at(place()).help(help));
        }
    };
    if let Some((key, _)) = entries.iter().find(|(key, _)| !fields.iter().any(|f| f.name == **key))
    {
        let help = match fields {
            [] => "it takes nothing: write {}".to_owned(),
            _ => format!("expected are {}", names()),
        };
        return Err(UserError::new(format!("{key:?} is not one of its columns"))
            .at(place())
            .help(help));
    }
    fields
        .iter()
        .map(|field| {
            let entry = entries.iter().find(|(key, _)| field.name == **key);
            entry.map(|(_, value)| *value).ok_or_else(|| {
                UserError::new(format!("a value for {} is missing", field.name))
                    .at(place())
                    .help(format!("add \"{}\"; write null where there is no value", field.name))
            })
        })
        .collect()
}

/// One column for each of `fields`, from `rows` of values.
fn batch(
    fields: &[Field],
    rows: &[Vec<&RawValue>],
    place: impl Fn(usize) -> String,
) -> Result<RecordBatch, UserError> {
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(fields.len());
    let mut arrow_fields = Vec::with_capacity(fields.len());
    for (i, field) in fields.iter().enumerate() {
        let values: Vec<&RawValue> = rows.iter().map(|row| row[i]).collect();
        columns.push(column(&field.data_type, &values).map_err(|(row, reason)| {
            UserError::new(format!("{}: {reason}", field.name)).at(place(row))
        })?);
        // Nullable whatever the signature says: the host answers such rows by itself.
        arrow_fields.push(ArrowField::new(field.name.as_str(), field.data_type.to_arrow(), true));
    }
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    let schema = Arc::new(Schema::new(arrow_fields));
    RecordBatch::try_new_with_options(schema, columns, &options)
        .map_err(|error| UserError::new(format!("the values make no batch: {error}")).at(place(0)))
}

fn expected(
    output: Option<&RawValue>,
    error: &Option<String>,
    outputs: &[Field],
    place: impl Fn(&str) -> String,
) -> Result<Expected, UserError> {
    match (output, error) {
        (Some(raw), None) => {
            let values = by_field(raw, outputs, || place("out"))?;
            let batch = batch(outputs, &[values], |_| place("out"))?;
            Ok(Expected::Values(batch.columns().iter().map(|c| Cell::new(c, 0)).collect()))
        }
        (None, Some(part)) => Ok(Expected::Error(part.clone())),
        (found, _) => {
            let what = match found {
                Some(_) => "both `out` and `error` are given",
                None => "neither `out` nor `error` is given",
            };
            Err(UserError::new(what).at(place("out")).help("give one of them"))
        }
    }
}

fn checked_tolerance(
    tolerance: Option<f64>,
    place: impl Fn() -> String,
) -> Result<Option<f64>, UserError> {
    match tolerance {
        Some(t) if !(t.is_finite() && t >= 0.0) => {
            Err(UserError::new(format!("{t} is no tolerance")).at(place()).help("give 0 or more"))
        }
        _ => Ok(tolerance),
    }
}

fn resolve_row_errors(
    entries: &Entries<String>,
    rows: usize,
    place: impl Fn() -> String,
) -> Result<BTreeMap<usize, String>, UserError> {
    let resolve = |(key, part): &(String, String)| {
        let row = key.parse().ok().filter(|row| *row < rows);
        row.map(|row| (row, part.clone())).ok_or_else(|| {
            UserError::new(format!("{key:?} is not the index of a row"))
                .at(place())
                .help(format!("the case has {rows} rows, counted from 0"))
        })
    };
    entries.0.iter().map(resolve).collect()
}

/// The beginning of a text that may be long.
pub(super) fn shortened(text: &str) -> String {
    const LIMIT: usize = 400;
    match text.char_indices().nth(LIMIT) {
        Some((end, _)) => format!("{}... ({} characters)", &text[..end], text.chars().count()),
        None => text.to_owned(),
    }
}
