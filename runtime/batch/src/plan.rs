//! From a job to an open input, a bound transform and a writer: everything
//! that can be known to be wrong is found here, before the first row is read.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow::datatypes::{DataType as ArrowType, Field, FieldRef, Schema, SchemaRef};
use unskew_definition::{DataType, TransformSignature, listed};
use unskew_executor::{ErrorPolicy, TransformKernel, TransformOperator, converts};

use crate::error::BatchError;
use crate::errors_file::ErrorsFile;
use crate::format::{FileFormat, Packing};
use crate::job::Job;
use crate::open_file::OpenFile;
use crate::output::Output;
use crate::read_csv::{CsvColumn, CsvFile};
use crate::read_jsonl::{JsonColumn, KeptMembers, read_jsonl, scan_names};
use crate::read_parquet::ParquetFile;
use crate::sink::{Encode, Sink};
use crate::source::{Decode, InputSize, KeptSchema, Opened, Source};
use crate::text_input::TextInput;

/// A job that can begin.
pub(crate) struct Plan {
    pub(crate) source: Box<dyn Source>,
    pub(crate) stages: Stages,
    pub(crate) sink: Box<dyn Sink>,
    pub(crate) errors: Option<ErrorsFile>,
    pub(crate) size: InputSize,
}

/// What is done to every piece, on any thread.
pub(crate) struct Stages {
    pub(crate) decoder: Box<dyn Decode>,
    pub(crate) operator: TransformOperator,
    pub(crate) encoder: Box<dyn Encode>,
}

impl Plan {
    pub(crate) fn new(
        job: &Job,
        kernel: Arc<dyn TransformKernel>,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Self, BatchError> {
        let formats = Formats::of(job)?;
        refuse_same_files(job)?;
        let signature = kernel.signature();
        let policy = ErrorPolicy::new(job.on_error, &job.defaults, signature)?;
        job.columns.check(signature).map_err(|source| arguments(job, source))?;
        let names = output_names(job, signature)?;
        let Opened { source, decoder, schema, kept, size } = match formats.input {
            FileFormat::Parquet => open_parquet(job, signature, &names)?,
            FileFormat::Csv(packing) => open_csv(job, signature, &names, packing, formats.output)?,
            FileFormat::JsonLines(packing) => {
                open_jsonl(job, signature, &names, packing, formats.output, cancelled)?
            }
        };
        let outputs = output_fields(job, signature, &names);
        let operator = TransformOperator::new(Arc::clone(&kernel), &job.columns, &schema, policy)
            .map_err(|source| arguments(job, source))?;
        let (kept, schema) = output_schema(&schema, &kept, outputs);
        let compression = job.compression.unwrap_or_default();
        let output = Output::create(&job.output, formats.output, &schema, kept, compression, 1)?;
        let Output { encoder, sink } = output;
        let errors = job
            .errors
            .as_deref()
            .zip(formats.errors)
            .map(|(path, format)| ErrorsFile::create(path, format, signature.name.as_str()))
            .transpose()?;
        Ok(Self { source, stages: Stages { decoder, operator, encoder }, sink, errors, size })
    }
}

struct Formats {
    input: FileFormat,
    output: FileFormat,
    errors: Option<FileFormat>,
}

impl Formats {
    fn of(job: &Job) -> Result<Self, BatchError> {
        let format = |path: &Path, given: Option<FileFormat>, option| {
            given
                .or_else(|| FileFormat::of(path))
                .ok_or_else(|| BatchError::UnknownFormat { path: path.to_owned(), option })
        };
        let input = format(&job.input, job.input_format, "--input-format")?;
        let output = format(&job.output, job.output_format, "--output-format")?;
        let errors = job
            .errors
            .as_deref()
            .map(|path| format(path, None, "the errors file a name with one of them"))
            .transpose()?;
        if job.compression.is_some() && output != FileFormat::Parquet {
            return Err(BatchError::WrongOption(format!(
                "--compression is for Parquet, and the output is {output}; a text file is packed by its name (.csv.gz, .jsonl.zst)"
            )));
        }
        if !job.types.is_empty() && input == FileFormat::Parquet {
            return Err(BatchError::WrongOption(
                "--type is for CSV and JSON lines; the columns of a Parquet file have their types"
                    .to_owned(),
            ));
        }
        Ok(Self { input, output, errors })
    }
}

fn refuse_same_files(job: &Job) -> Result<(), BatchError> {
    let files = [
        ("the input", Some(job.input.as_path())),
        ("the output", Some(job.output.as_path())),
        ("the errors file", job.errors.as_deref()),
    ];
    for (at, (second, path)) in files.iter().enumerate() {
        for (first, earlier) in &files[..at] {
            if let (Some(earlier), Some(path)) = (earlier, path)
                && same_file(earlier, path)
            {
                return Err(BatchError::SameFile { path: path.to_path_buf(), first, second });
            }
        }
    }
    Ok(())
}

/// Whether two paths lead to one regular file, by whatever names and links.
fn same_file(a: &Path, b: &Path) -> bool {
    match (fs::metadata(a), fs::metadata(b)) {
        (Ok(a_data), Ok(b_data)) => {
            #[cfg(unix)]
            {
                use std::os::unix::fs::MetadataExt as _;
                let same = (a_data.dev(), a_data.ino()) == (b_data.dev(), b_data.ino());
                same && a_data.is_file()
            }
            #[cfg(not(unix))]
            {
                let _ = (a_data, b_data);
                fs::canonicalize(a).ok() == fs::canonicalize(b).ok()
            }
        }
        // Files that are still to be made.
        (Err(_), Err(_)) => {
            let place = |path: &Path| {
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                let folder = fs::canonicalize(folder.unwrap_or(Path::new("."))).ok()?;
                Some(folder.join(path.file_name()?))
            };
            place(a).is_some_and(|a| Some(a) == place(b))
        }
        _ => false,
    }
}

fn arguments(job: &Job, source: unskew_executor::ArgumentError) -> BatchError {
    BatchError::Arguments { path: job.input.clone(), source: Box::new(source) }
}

/// The name of each output's column.
fn output_names(job: &Job, signature: &TransformSignature) -> Result<Vec<String>, BatchError> {
    for (output, _) in &job.output_names {
        if signature.outputs.iter().all(|field| field.name.as_str() != output) {
            return Err(BatchError::NoSuchOutput {
                transform: signature.name.to_string(),
                output: output.clone(),
                option: "--output-column",
                known: listed(signature.outputs.iter().map(|field| field.name.as_str())),
            });
        }
    }
    let mut names: Vec<String> = Vec::with_capacity(signature.outputs.len());
    for field in &signature.outputs {
        let output = field.name.as_str();
        let mut given = job.output_names.iter().filter(|(name, _)| name == output);
        let name = given.next().map_or(output, |(_, name)| name).to_owned();
        if given.next().is_some() {
            return Err(BatchError::WrongOption(format!(
                "--output-column names output {output} twice; give it one name"
            )));
        }
        if names.contains(&name) {
            return Err(BatchError::NameClash {
                column: name,
                which: "two outputs of the transform".to_owned(),
                advice: "give one another name with --output-column OUT=NAME".to_owned(),
            });
        }
        names.push(name);
    }
    Ok(names)
}

fn output_fields(job: &Job, signature: &TransformSignature, names: &[String]) -> Vec<Field> {
    let mut metadata = HashMap::from([("unskew.transform".to_owned(), signature.name.to_string())]);
    metadata.extend(job.digest.map(|digest| ("unskew.digest".to_owned(), digest.to_string())));
    let fields = signature.outputs.iter().zip(names).map(|(field, name)| {
        // Any output may be null: its row may fail.
        Field::new(name, field.data_type.to_arrow(), true).with_metadata(metadata.clone())
    });
    fields.collect()
}

/// Which of the input's columns the output keeps, by their places.
fn kept_columns<S: AsRef<str>>(
    job: &Job,
    columns: &[S],
    outputs: &[String],
) -> Result<Vec<usize>, BatchError> {
    let names = || columns.iter().map(AsRef::as_ref);
    let known = |option, column: &String| {
        if names().any(|name| name == column) {
            return Ok(());
        }
        Err(BatchError::NoSuchColumn {
            path: job.input.clone(),
            column: column.clone(),
            option,
            known: listed(names()),
        })
    };
    job.types.iter().try_for_each(|(column, _)| known("--type", column))?;
    let kept: Vec<usize> = match &job.select {
        None => (0..columns.len()).collect(),
        Some(selected) => {
            selected.iter().try_for_each(|column| known("--select", column))?;
            let is_selected = |name: &str| selected.iter().any(|column| column == name);
            names().enumerate().filter(|(_, name)| is_selected(name)).map(|(at, _)| at).collect()
        }
    };
    let clash =
        kept.iter().map(|at| columns[*at].as_ref()).find(|name| outputs.iter().any(|o| o == name));
    match clash {
        None => Ok(kept),
        Some(column) => Err(BatchError::NameClash {
            column: column.to_owned(),
            which: "a column of the input and an output of the transform".to_owned(),
            advice: format!(
                "rename the output (--output-column {column}=NAME), or keep only other columns (--select)"
            ),
        }),
    }
}

fn open_parquet(
    job: &Job,
    signature: &TransformSignature,
    outputs: &[String],
) -> Result<Opened, BatchError> {
    let file = OpenFile::open_regular(&job.input, "a Parquet file is read from its end")?;
    let file = ParquetFile::open(&job.input, file)?;
    let columns = file.schema.fields().iter().map(|field| field.name()).collect::<Vec<_>>();
    let kept = kept_columns(job, &columns, outputs)?;
    // Bound to all columns once, for a message that names them all.
    TransformOperator::check(signature, &job.columns, &file.schema)
        .map_err(|source| arguments(job, source))?;
    let feeds = |name: &String| {
        signature.inputs.iter().any(|input| job.columns.column_of(input.name.as_str()) == name)
    };
    let read: Vec<usize> =
        (0..columns.len()).filter(|at| kept.contains(at) || feeds(columns[*at])).collect();
    file.read(&read, &kept)
}

/// The columns of a text file that feed the transform, each with its type.
fn fed_columns(job: &Job, signature: &TransformSignature) -> Vec<(String, DataType)> {
    let mut fed: Vec<(String, DataType)> = Vec::new();
    for input in &signature.inputs {
        let column = job.columns.column_of(input.name.as_str());
        if fed.iter().any(|(name, _)| name == column) {
            continue;
        }
        let wanted = || {
            signature
                .inputs
                .iter()
                .filter(|other| job.columns.column_of(other.name.as_str()) == column)
                .map(|other| &other.data_type)
        };
        let declared = job.types.iter().find(|(name, _)| name == column);
        // Of several arguments' types the one from which all others can be made.
        let narrowest =
            || wanted().find(|found| wanted().all(|wanted| converts(&found.to_arrow(), wanted)));
        let data_type =
            declared.map(|(_, declared)| declared).or_else(narrowest).unwrap_or(&input.data_type);
        fed.push((column.to_owned(), data_type.clone()));
    }
    fed
}

/// The type in which a column of a text file is kept: as it stands in the
/// text, unless the output has types.
fn kept_type(
    job: &Job,
    fed: &[(String, DataType)],
    name: &str,
    output: FileFormat,
) -> Option<DataType> {
    if matches!(output, FileFormat::Csv(_)) {
        return None;
    }
    let types = job.types.iter().chain(fed);
    types.into_iter().find(|(column, _)| column == name).map(|(_, data_type)| data_type.clone())
}

fn open_csv(
    job: &Job,
    signature: &TransformSignature,
    outputs: &[String],
    packing: Packing,
    output: FileFormat,
) -> Result<Opened, BatchError> {
    let file = CsvFile::open(TextInput::open(&job.input, OpenFile::open(&job.input)?, packing)?)?;
    let kept = kept_columns(job, &file.header, outputs)?;
    let fed = fed_columns(job, signature);
    let as_read = file.header.iter().map(|name| {
        let fed = fed.iter().find(|(column, _)| column == name);
        let data_type = fed.map_or(ArrowType::Utf8, |(_, data_type)| data_type.to_arrow());
        Field::new(name, data_type, true)
    });
    let as_read = Schema::new(as_read.collect::<Vec<_>>());
    TransformOperator::check(signature, &job.columns, &as_read)
        .map_err(|source| arguments(job, source))?;
    let place = |name: &String| file.header.iter().position(|column| column == name);
    let fed_columns = fed.iter().filter_map(|(name, data_type)| {
        Some(CsvColumn { at: place(name)?, data_type: Some(data_type.clone()) })
    });
    let fed_columns = fed_columns.collect();
    let kept_columns = kept
        .into_iter()
        .map(|at| CsvColumn { at, data_type: kept_type(job, &fed, &file.header[at], output) });
    let kept_columns = kept_columns.collect();
    Ok(file.read(fed_columns, kept_columns))
}

fn open_jsonl(
    job: &Job,
    signature: &TransformSignature,
    outputs: &[String],
    packing: Packing,
    output: FileFormat,
    cancelled: &dyn Fn() -> bool,
) -> Result<Opened, BatchError> {
    let open = || {
        let needs = "its fields must be known before it is read";
        TextInput::open(&job.input, OpenFile::open_regular(&job.input, needs)?, packing)
    };
    let fed = fed_columns(job, signature);
    let verbatim = matches!(output, FileFormat::JsonLines(_));
    // Every name is needed only where all members become columns; else the
    // scan ends where everything asked for was seen, mostly on the first line.
    let enough: Option<Vec<String>> = (verbatim || job.select.is_some()).then(|| {
        let names = fed.iter().chain(&job.types).map(|(name, _)| name.clone());
        names.chain(job.select.iter().flatten().cloned()).collect()
    });
    let names = scan_names(open()?, enough.as_deref(), cancelled)?;
    // Where there is no object, none lacks a member.
    let names = if names.is_empty() {
        let asked = fed.iter().map(|(name, _)| name).chain(job.select.iter().flatten());
        let mut names: Vec<String> = Vec::new();
        for name in asked.chain(job.types.iter().map(|(name, _)| name)) {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        names
    } else {
        names
    };
    let typed = |name: &String| {
        let data_type = fed.iter().find(|(column, _)| column == name);
        data_type.map_or(ArrowType::Utf8, |(_, data_type)| data_type.to_arrow())
    };
    let as_read = names.iter().map(|name| Field::new(name, typed(name), true));
    let as_read = Schema::new(as_read.collect::<Vec<_>>());
    TransformOperator::check(signature, &job.columns, &as_read)
        .map_err(|source| arguments(job, source))?;
    let all_members = verbatim && job.select.is_none();
    // Members that stay where they are may be of any name; the decoder looks.
    let clashing: &[String] = if all_members { &[] } else { outputs };
    let kept = kept_columns(job, &names, clashing)?;
    let kept = if all_members {
        KeptMembers::All
    } else if verbatim {
        KeptMembers::Some(kept.into_iter().map(|at| names[at].clone()).collect())
    } else {
        let columns = kept.into_iter().map(|at| JsonColumn {
            name: names[at].clone(),
            data_type: kept_type(job, &fed, &names[at], output),
        });
        KeptMembers::Columns(columns.collect())
    };
    let fed_columns = fed.iter().map(|(name, data_type)| JsonColumn {
        name: name.clone(),
        data_type: Some(data_type.clone()),
    });
    Ok(read_jsonl(open()?, fed_columns.collect(), kept, outputs.to_vec()))
}

/// The columns of the output: what is kept, then the transform's outputs.
fn output_schema(input: &Schema, kept: &KeptSchema, outputs: Vec<Field>) -> (usize, SchemaRef) {
    let kept: &[FieldRef] = match kept {
        KeptSchema::Columns(kept) => kept.fields(),
        KeptSchema::Objects => &[],
    };
    let mut metadata = input.metadata().clone();
    metadata.extend(outputs.first().map(|output| output.metadata().clone()).unwrap_or_default());
    let fields = kept.iter().cloned().chain(outputs.into_iter().map(Arc::new));
    let schema = Schema::new_with_metadata(fields.collect::<Vec<_>>(), metadata);
    (kept.len(), Arc::new(schema))
}
