use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use arrow::array::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::ZstdLevel;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use tempfile::NamedTempFile;

use crate::error::DatagenError;
use crate::events::{Events, schema};
use crate::spec::Spec;
use crate::text::{append_csv, append_json, csv_header};

/// The form of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Apache Parquet
    Parquet,
    /// comma-separated values with a header; nulls are empty
    Csv,
    /// one JSON object a line
    Jsonl,
}

/// How the pages of a Parquet file are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Compression {
    /// not at all
    None,
    /// little, and fast
    Snappy,
    /// more, and slower
    Zstd,
}

/// So many rows wait in memory until they are written.
const ROW_GROUP_ROWS: usize = 262_144;

/// Writes all events of `spec` to `path`, which holds nothing or another file
/// until the new one is whole.
pub fn write(
    spec: &Spec,
    path: &Path,
    format: Format,
    compression: Compression,
) -> Result<(), DatagenError> {
    let events = Events::new(spec)?;
    let failed = |source| DatagenError::Output { path: path.to_owned(), source };
    if path.is_dir() {
        return Err(failed(std::io::ErrorKind::IsADirectory.into()));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let mut unfinished = tempfile::Builder::new();
    #[cfg(unix)]
    unfinished.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
    let file = unfinished.prefix(".datagen-").tempfile_in(folder).map_err(failed)?;
    match format {
        Format::Parquet => write_parquet(events, &file, compression).map_err(|source| {
            match source {
                // A full disk is the user's to mend, not the Parquet writer's.
                ParquetError::External(e) if e.is::<std::io::Error>() => {
                    failed(*e.downcast().expect("an I/O error, as just seen"))
                }
                source => DatagenError::Parquet { path: path.to_owned(), source },
            }
        })?,
        Format::Csv => {
            write_text(events, &file, &csv_header(&schema()), append_csv).map_err(failed)?;
        }
        Format::Jsonl => write_text(events, &file, "", append_json).map_err(failed)?,
    }
    file.persist(path).map_err(|e| failed(e.error))?;
    Ok(())
}

fn write_parquet(
    events: Events,
    file: &NamedTempFile,
    compression: Compression,
) -> Result<(), ParquetError> {
    use parquet::basic::Compression as Codec;
    let codec = match compression {
        Compression::None => Codec::UNCOMPRESSED,
        Compression::Snappy => Codec::SNAPPY,
        Compression::Zstd => Codec::ZSTD(ZstdLevel::try_new(3)?),
    };
    let properties = WriterProperties::builder()
        .set_compression(codec)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .build();
    let mut writer = ArrowWriter::try_new(file.as_file(), schema(), Some(properties))?;
    for batch in events {
        writer.write(&batch)?;
    }
    writer.close()?;
    Ok(())
}

fn write_text(
    events: Events,
    file: &NamedTempFile,
    header: &str,
    append: fn(&mut String, &RecordBatch),
) -> std::io::Result<()> {
    let mut writer: BufWriter<&File> = BufWriter::new(file.as_file());
    writer.write_all(header.as_bytes())?;
    let mut lines = String::new();
    for batch in events {
        lines.clear();
        append(&mut lines, &batch);
        writer.write_all(lines.as_bytes())?;
    }
    writer.flush()
}
