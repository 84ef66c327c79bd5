use std::fmt;
use std::path::Path;
use std::str::FromStr;

/// What a file holds, and how it is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFormat {
    /// Apache Parquet.
    Parquet,
    /// CSV with a header line.
    Csv(Packing),
    /// JSON lines: one object on each line.
    JsonLines(Packing),
}

/// How a text file is packed as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// Not at all.
    Plain,
    /// gzip, any number of members.
    Gzip,
    /// Zstandard, any number of frames.
    Zstd,
}

pub(crate) const ENDINGS: &str =
    ".parquet, .pq, .csv, .jsonl, .ndjson, .json (text ones also with .gz or .zst behind)";

const NAMES: [(&str, FileFormat); 7] = [
    ("parquet", FileFormat::Parquet),
    ("csv", FileFormat::Csv(Packing::Plain)),
    ("csv.gz", FileFormat::Csv(Packing::Gzip)),
    ("csv.zst", FileFormat::Csv(Packing::Zstd)),
    ("jsonl", FileFormat::JsonLines(Packing::Plain)),
    ("jsonl.gz", FileFormat::JsonLines(Packing::Gzip)),
    ("jsonl.zst", FileFormat::JsonLines(Packing::Zstd)),
];

impl FileFormat {
    /// The format that the ending of a file's name tells.
    pub fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.to_ascii_lowercase();
        let (name, packing) = match name.rsplit_once('.')? {
            (inner, "gz") => (inner, Packing::Gzip),
            (inner, "zst" | "zstd") => (inner, Packing::Zstd),
            _ => (name.as_str(), Packing::Plain),
        };
        match name.rsplit_once('.')?.1 {
            "parquet" | "pq" if packing == Packing::Plain => Some(Self::Parquet),
            "csv" => Some(Self::Csv(packing)),
            "jsonl" | "ndjson" | "json" => Some(Self::JsonLines(packing)),
            _ => None,
        }
    }

    /// Whether the file as a whole is packed.
    pub(crate) fn is_packed(self) -> bool {
        matches!(
            self,
            Self::Csv(Packing::Gzip | Packing::Zstd)
                | Self::JsonLines(Packing::Gzip | Packing::Zstd)
        )
    }

    /// Every format's name, for help texts and completions.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(name, _)| *name)
    }
}

impl fmt::Display for FileFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES.iter().find(|(_, format)| format == self).map_or("?", |(name, _)| name);
        f.write_str(name)
    }
}

/// A text is no [`FileFormat`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is no file format; known are {known}")]
pub struct ParseFormatError {
    found: String,
    known: String,
}

impl FromStr for FileFormat {
    type Err = ParseFormatError;
    fn from_str(text: &str) -> Result<Self, ParseFormatError> {
        NAMES.iter().find(|(name, _)| *name == text).map(|(_, format)| *format).ok_or_else(|| {
            let known = Self::names().collect::<Vec<_>>().join(", ");
            ParseFormatError { found: text.to_owned(), known }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_tells_the_format() {
        for (path, format) in [
            ("a.parquet", Some("parquet")),
            ("dir.csv/a.PQ", Some("parquet")),
            ("a.b.csv", Some("csv")),
            ("a.csv.GZ", Some("csv.gz")),
            ("a.ndjson", Some("jsonl")),
            ("a.json.zst", Some("jsonl.zst")),
            ("a.parquet.gz", None),
            ("a.gz", None),
            ("csv", None),
            (".csv", Some("csv")),
            ("a.xlsx", None),
            ("", None),
        ] {
            let found = FileFormat::of(Path::new(path)).map(|format| format.to_string());
            assert_eq!(found.as_deref(), format, "{path}");
        }
    }

    #[test]
    fn formats_print_as_they_parse() {
        for name in FileFormat::names() {
            assert_eq!(name.parse::<FileFormat>().unwrap().to_string(), name);
        }
        assert!("xml".parse::<FileFormat>().unwrap_err().to_string().contains("jsonl.gz"));
    }
}
