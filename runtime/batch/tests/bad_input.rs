//! Everything that can be wrong with an input is said: what, where, and what
//! to do; and there is no output then.

mod shared;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow::array::StringArray;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use unskew_batch::{FileFormat, Job};

use crate::shared::{Folder, batch, double, int64, refused};

/// Runs `double` over a file with `bytes`; gives the message.
#[track_caller]
fn message(name: &str, bytes: impl AsRef<[u8]>) -> String {
    let folder = Folder::new();
    folder.write(name, bytes);
    let message = refused(&folder.job(name, "out.parquet"), double());
    assert_eq!(folder.names(), [name], "{message}");
    let path = folder.path(name);
    let shown = path.display().to_string();
    assert!(message.starts_with(&shown), "no path: {message}");
    message[shown.len()..].to_owned()
}

#[track_caller]
fn says(message: &str, part: &str) {
    assert!(message.contains(part), "{message}");
}

#[test]
fn csv_mistakes_are_named_with_their_line() {
    for (text, wanted) in [
        ("x\n1.5\n", ", line 2, column \"x\": \"1.5\" is no int64: a whole number was expected"),
        ("a,x\n,1\n,\"\n\"\n,zwei\n", ", line 3, column \"x\": \"\\n\" is no int64"),
        ("a,x\n\"\n\n\",1\r\n\n,zwei\r\n", ", line 6, column \"x\": \"zwei\""),
        ("x\n 1\n", "\" 1\" is no int64: it has blanks around it"),
        ("x,a\n\"\",b\n", "it is empty (a field without quotes is null where it is empty)"),
        ("x\n9223372036854775808\n", "is not from -9223372036854775808 to"),
        ("x,a\n1,2\n3\n", ", line 3: it has 1 fields, the header names 2"),
        ("x,a\n1,2\n3,4,5\n", ", line 3: it has 3 fields, the header names 2"),
        ("x,a\n1,\"b\n2,c\n", ", line 2: the quote that opens here is never closed"),
        ("x,a\n1,\"b\"c\n", ", line 2: there is text behind the quote"),
        ("x,a,x\n1,2,3\n", ", line 1: columns 1 and 3 are both named \"x\""),
        ("", ": the file is empty; the first line of a CSV file names its columns"),
        ("\u{feff}", ": the file is empty"),
        ("\n1\n", ", line 1: the first line is blank"),
        ("1,2\n3,4\n", "there is no column \"x\"; the columns: 1, 2"),
        ("X ,a\n1,2\n", "did you mean \"X \"?"),
    ] {
        says(&message("in.csv", text), wanted);
    }
    says(&message("in.csv", b"x,a\n1,ok\n2,\xff\n"), ", line 3, column \"a\": it is no UTF-8 text");
    says(&message("in.csv", b"\xff\xfex\0\n\0"), "UTF-16");
    says(&message("in.csv", b"x,\xff\n"), "the name of column 2 is no UTF-8");
}

#[test]
fn lines_are_counted_across_pieces() {
    let mut text = "x\n".to_owned();
    for row in 0..20_000 {
        text += &format!("{row}\n");
    }
    says(&message("in.csv", text.clone() + "x\n1\n"), ", line 20002, column \"x\": \"x\"");
    let json: String = (0..20_000).map(|row| format!("{{\"x\":{row}}}\n\n")).collect();
    says(&message("in.jsonl", json + "{\"x\":1.5}\n"), ", line 40001, column \"x\": \"1.5\"");
}

#[test]
fn json_mistakes_are_named_with_their_line() {
    for (text, wanted) in [
        ("{\"x\":1}\n{\"x\":1.5}\n", ", line 2, column \"x\": \"1.5\" is no int64"),
        ("{\"x\":true}\n", "a number was expected"),
        ("{\"x\":1}\n\n{\"x\":1\n", ", line 3: EOF while parsing"),
        ("[{\"x\":1}]\n", ", line 1: an object like {\"a\": 1} was expected, not an array"),
        ("{\"x\":1}{\"x\":2}\n", "trailing characters (at character 8)"),
        ("{\"x\":1,\"x\":2}\n", "two members are named \"x\""),
        ("x\n1\n", ", line 1: an object like {\"a\": 1} was expected"),
        ("{\"a\":1}\n{\"b\":1}\n", "there is no column \"x\"; the columns: a, b"),
    ] {
        says(&message("in.jsonl", text), wanted);
    }
    says(&message("in.jsonl", b"{\"x\":1}\n{\"x\":\"\xff\"}\n"), ", line 2: it is no UTF-8 text");
}

#[test]
fn files_of_another_kind_are_told_apart() {
    for (name, bytes, wanted) in [
        ("in.parquet", &b""[..], "is empty (0 bytes)"),
        ("in.parquet", b"x", "it looks like text"),
        ("in.parquet", b"\0\x01", "too short"),
        ("in.parquet", b"PAR1", "its end is missing"),
        ("in.parquet", b"x,y\n1,2\n3,4\n", "it looks like text"),
        ("in.parquet", b"{\"x\":1}\n{\"x\":2}\n", "it looks like JSON lines"),
        ("in.parquet", b"\x1f\x8b\x08\0\0\0\0\0\0\0\0\0\0\0", "gzip"),
        ("in.parquet", b"PAR1\0\0\0\0\0\0\0\0\0\0\0\0", "its end is missing"),
        ("in.parquet", b"PAR1\0\0\0\0\0\0\0\0PARE", "encrypted"),
        ("in.parquet", b"\0\x01\x02\x03\0\0\0\0\0\0\0\0\0\0\0", "does not begin and end with PAR1"),
        ("in.parquet", b"PAR1\xff\xff\xff\x7f\xff\xff\xff\x7fPAR1", "damaged"),
        ("in.csv", b"PAR1\0\0\0\0PAR1", "--input-format parquet"),
        ("in.csv", b"\x1f\x8b\x08\0\0\0", "packed with gzip"),
        ("in.jsonl", b"\x28\xb5\x2f\xfd\0\0", "packed with zstd"),
        ("in.csv.gz", b"x\n1\n", "it is no gzip file"),
        ("in.csv.zst", b"x\n1\nmore", "it is no zstd file"),
        ("in.csv.gz", b"", "it is no gzip file"),
        ("in.csv", b"PK\x03\x04", "zip"),
    ] {
        says(&message(name, bytes), wanted);
    }
}

#[test]
fn packed_text_that_was_cut_off_is_no_shorter_file() {
    let folder = Folder::new();
    let rows: String = (0..50_000).map(|row| format!("{row}\n")).collect();
    folder.write("in.csv", "x\n".to_owned() + &rows);
    for name in ["packed.csv.gz", "packed.csv.zst"] {
        let mut job = folder.job("in.csv", name);
        job.select = Some(vec![]);
        job.output_names = vec![("y".to_owned(), "x".to_owned())];
        shared::run(&job, double()).unwrap();
        let mut bytes = fs::read(folder.path(name)).unwrap();
        bytes.truncate(bytes.len() * 2 / 3);
        says(&message(name, bytes), "it was cut off");
    }
}

#[test]
fn a_damaged_parquet_file_names_its_row_group() {
    let folder = Folder::new();
    let texts = StringArray::from_iter_values((0..30_000).map(|row| format!("text {row}")));
    let rows = batch(vec![("x", int64(0..30_000)), ("t", Arc::new(texts))]);
    let path = folder.path("whole.parquet");
    let properties = parquet::file::properties::WriterProperties::builder()
        .set_max_row_group_row_count(Some(10_000))
        .build();
    let file = fs::File::create(&path).unwrap();
    let mut writer =
        parquet::arrow::ArrowWriter::try_new(file, rows.schema(), Some(properties)).unwrap();
    writer.write(&rows).unwrap();
    writer.close().unwrap();

    let whole = fs::read(&path).unwrap();
    says(&message("in.parquet", &whole[..whole.len() / 2]), "its end is missing");
    let reader = SerializedFileReader::new(fs::File::open(&path).unwrap()).unwrap();
    let column = reader.metadata().row_group(1).column(0);
    let (start, length) = column.byte_range();
    let mut damaged = whole.clone();
    damaged[start as usize..(start + length) as usize].fill(0xff);
    let found = message("in.parquet", damaged);
    says(&found, ", row group 1 (from row 10000): it cannot be read, the file is damaged");
    // No damage anywhere else may crash it either.
    for at in (4..whole.len()).step_by(whole.len() / 97) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x55;
        folder.write("in.parquet", &damaged);
        let job = folder.job("in.parquet", "out.parquet");
        if let Err(error) = shared::run(&job, double()) {
            assert!(error.is_users(), "byte {at}: {error}");
        }
    }
}

/// Written by pyarrow: column `x` uncompressed, column `z` with brotli.
const BROTLI: &[u8] = include_bytes!("files/brotli.parquet");

#[test]
fn an_unsupported_codec_is_named_unless_its_column_is_not_read() {
    let found = message("in.parquet", BROTLI);
    says(&found, ", row group 0 (from row 0): column \"z\" is compressed with brotli");
    says(&found, "write it again with snappy, zstd, gzip or lz4");
    let folder = Folder::new();
    folder.write("in.parquet", BROTLI);
    let job = Job { select: Some(vec!["x".to_owned()]), ..folder.job("in.parquet", "out.csv") };
    shared::run(&job, double()).unwrap();
    assert_eq!(folder.text("out.csv"), "x,y\n1,2\n2,4\n");
}

/// Written by pyarrow: column `t` holds microseconds of the years 1500 and 9999
/// as INT96, the type of old Spark and Impala.
const INT96: &[u8] = include_bytes!("files/int96.parquet");

#[test]
fn int96_timestamps_do_not_wrap() {
    let folder = Folder::new();
    folder.write("in.parquet", INT96);
    shared::run(&folder.job("in.parquet", "out.csv"), double()).unwrap();
    assert_eq!(
        folder.text("out.csv"),
        "x,t,y\n1,1500-01-10T05:00:00.000001,2\n2,1970-01-01T00:00:00.000000,4\n3,9999-12-31T23:59:59.999999,6\n4,,8\n"
    );
}

#[test]
fn columns_that_do_not_fit_are_named() {
    let folder = Folder::new();
    let texts = Arc::new(StringArray::from(vec!["1"]));
    folder.write_parquet("in.parquet", &batch(vec![("x", texts), ("z", int64([1]))]));
    let mut job = folder.job("in.parquet", "out.parquet");
    says(
        &refused(&job, double()),
        "in.parquet: transform double, argument x: column \"x\" is utf8, the argument is int64; convert the column to int64 before, or declare the argument as utf8",
    );
    let mapped =
        |column: &str| unskew_executor::ColumnMapping::new([("x".to_owned(), column.to_owned())]);
    job.columns = mapped("zz");
    says(
        &refused(&job, double()),
        "there is no column \"zz\"; the columns: x, z (another column feeds it by --column ARG=COLUMN)",
    );
    job.columns = mapped("z");
    shared::run(&job, double()).unwrap();
    assert_eq!(folder.names(), ["in.parquet", "out.parquet"]);
}

#[test]
fn paths_that_cannot_be_are_refused_before_any_work() {
    let folder = Folder::new();
    folder.write("in.csv", "x\n1\n");
    fs::create_dir(folder.path("dir.csv")).unwrap();
    for (input, output, wanted) in [
        ("none.csv", "out.csv", "none.csv: cannot be read: there is no such file or folder"),
        ("dir.csv", "out.csv", "dir.csv: is a folder; give a file"),
        ("in.csv", "dir.csv", "dir.csv: is a folder; give a file"),
        ("in.csv", "no/out.csv", "cannot be created: there is no such file or folder"),
        ("in.csv", "in.csv", "the output would overwrite the input"),
        ("in.csv", "./in.csv", "the output would overwrite the input"),
        ("in.csv", "out.txt", "what format is it?"),
        ("in.txt", "out.csv", "give --input-format"),
    ] {
        says(&refused(&folder.job(input, output), double()), wanted);
    }
    let errors =
        |name: &str| Job { errors: Some(folder.path(name)), ..folder.job("in.csv", "out.csv") };
    says(&refused(&errors("out.csv"), double()), "the errors file would overwrite the output");
    says(&refused(&errors("in.csv"), double()), "the errors file would overwrite the input");
    says(&refused(&errors("bad.txt"), double()), "what format is it?");
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(folder.path("in.csv"), folder.path("link.csv")).unwrap();
        fs::hard_link(folder.path("in.csv"), folder.path("hard.csv")).unwrap();
        for output in ["link.csv", "hard.csv"] {
            says(&refused(&folder.job("in.csv", output), double()), "would overwrite the input");
        }
    }
    assert_eq!(folder.text("in.csv"), "x\n1\n");
    assert!(!Path::new(&folder.path("out.csv")).exists());
}

#[test]
fn a_given_format_goes_before_the_name() {
    let folder = Folder::new();
    folder.write("in.dat", "x\n1\n");
    let csv: FileFormat = "csv".parse().unwrap();
    let job = Job {
        input_format: Some(csv),
        output_format: Some(csv),
        ..folder.job("in.dat", "out.parquet")
    };
    shared::run(&job, double()).unwrap();
    assert_eq!(folder.text("out.parquet"), "x,y\n1,2\n");
}

#[test]
fn an_input_without_rows_gives_an_output_without_rows() {
    let folder = Folder::new();
    folder.write("in.csv", "x,a\n");
    folder.write("in.jsonl", "");
    folder.write_parquet("in.parquet", &batch(vec![("x", int64(Vec::<i64>::new()))]));
    for (input, text) in [("in.csv", "x,a,y\n"), ("in.jsonl", "x,y\n"), ("in.parquet", "x,y\n")] {
        let summary = shared::run(&folder.job(input, "out.csv"), double()).unwrap();
        assert_eq!(summary.rows, 0);
        assert_eq!(folder.text("out.csv"), text);
        shared::run(&folder.job(input, "out.parquet"), double()).unwrap();
        assert_eq!(folder.read_parquet("out.parquet").num_rows(), 0);
    }
}
