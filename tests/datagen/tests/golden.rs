//! The data must not change under the figures and golden files that were made
//! from it: not with the machine, the batch size or the version of Arrow.

use std::path::Path;

use anyhow::Result;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Float64Type, Int32Type, TimestampMicrosecondType};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use unskew_datagen::{Compression, DataDigest, Events, Format, START_MICROS, Spec, schema, write};

fn small() -> Spec {
    Spec { rows: 20_000, entities: 1_000, products: 200, days: 7, seed: 42 }
}

fn digest(batches: impl IntoIterator<Item = RecordBatch>) -> String {
    let mut digest = DataDigest::default();
    for batch in batches {
        digest.update(&batch);
    }
    digest.finish()
}

fn read_parquet(path: &Path) -> Result<Vec<RecordBatch>> {
    let file = std::fs::File::open(path)?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file)?.build()?;
    Ok(reader.collect::<Result<_, _>>()?)
}

/// Were this to fail, the generator has changed what it yields: every figure
/// and golden file made from its data has to be made again (`make bless`
/// writes the new digest).
#[test]
fn a_seed_gives_the_same_values_for_ever() -> Result<()> {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden.sha256");
    let found = digest(Events::new(&small())?);
    if std::env::var_os("UNSKEW_BLESS").is_some_and(|value| value == "1") {
        std::fs::write(&golden, format!("{found}\n"))?;
    }
    assert_eq!(found, std::fs::read_to_string(&golden)?.trim());
    Ok(())
}

#[test]
fn another_seed_gives_other_values() -> Result<()> {
    let other = Spec { seed: 43, ..small() };
    assert_ne!(digest(Events::new(&small())?), digest(Events::new(&other)?));
    Ok(())
}

#[test]
fn parquet_holds_the_values_and_the_same_bytes_each_time() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (first, second) = (folder.path().join("1.parquet"), folder.path().join("2.parquet"));
    for path in [&first, &second] {
        write(&small(), path, Format::Parquet, Compression::Snappy)?;
    }
    assert_eq!(std::fs::read(&first)?, std::fs::read(&second)?);
    let batches = read_parquet(&first)?;
    assert_eq!(batches[0].schema().fields(), schema().fields());
    assert_eq!(digest(batches), digest(Events::new(&small())?));
    Ok(())
}

#[test]
fn events_are_what_the_schema_promises() -> Result<()> {
    let spec = small();
    let mut last_time = START_MICROS;
    let mut purchases = 0u64;
    let mut rows = 0;
    for batch in Events::new(&spec)? {
        let times = batch.column(0).as_primitive::<TimestampMicrosecondType>();
        let kinds = batch.column(3).as_string::<i32>();
        let amounts = batch.column(4).as_primitive::<Float64Type>();
        let quantities = batch.column(5).as_primitive::<Int32Type>();
        let latitudes = batch.column(6).as_primitive::<Float64Type>();
        let longitudes = batch.column(7).as_primitive::<Float64Type>();
        for row in 0..batch.num_rows() {
            assert!(times.value(row) >= last_time, "row {row} goes back in time");
            last_time = times.value(row);
            let is_purchase = kinds.value(row) == "purchase";
            purchases += u64::from(is_purchase);
            assert_eq!(amounts.is_valid(row), is_purchase);
            assert_eq!(quantities.is_valid(row), is_purchase);
            if is_purchase {
                assert!(amounts.value(row) > 0.0 && quantities.value(row) > 0);
            }
            assert!(latitudes.value(row).abs() <= 90.0 && longitudes.value(row).abs() <= 180.0);
        }
        rows += batch.num_rows() as u64;
    }
    assert_eq!(rows, spec.rows);
    assert!(last_time < START_MICROS + 7 * 86_400_000_000);
    assert!((900..1_500).contains(&purchases), "{purchases}");
    Ok(())
}

#[test]
fn text_forms_hold_the_same_rows() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let spec = Spec { rows: 200, ..small() };
    let (csv, jsonl) = (folder.path().join("e.csv"), folder.path().join("e.jsonl"));
    write(&spec, &csv, Format::Csv, Compression::None)?;
    write(&spec, &jsonl, Format::Jsonl, Compression::None)?;
    let batch = Events::new(&spec)?.next().expect("200 rows");
    let amounts = batch.column(4).as_primitive::<Float64Type>();
    let (csv, jsonl) = (std::fs::read_to_string(csv)?, std::fs::read_to_string(jsonl)?);
    let mut csv_lines = csv.lines();
    assert_eq!(
        csv_lines.next(),
        Some("event_timestamp,user_id,product_id,event_type,amount,quantity,latitude,longitude")
    );
    assert_eq!(jsonl.lines().count(), 200);
    for (row, (csv, json)) in csv_lines.zip(jsonl.lines()).enumerate() {
        let fields: Vec<&str> = csv.split(',').collect();
        assert_eq!(fields.len(), 8, "{csv}");
        let user = batch.column(1).as_string::<i32>().value(row);
        assert_eq!(fields[1], user);
        assert!(json.contains(&format!("\"user_id\":\"{user}\"")), "{json}");
        if amounts.is_valid(row) {
            let read: f64 = fields[4].parse()?;
            assert_eq!(read.to_bits(), amounts.value(row).to_bits());
            assert!(json.contains(&format!("\"amount\":{}", fields[4])), "{json}");
        } else {
            assert_eq!(fields[4], "");
            assert!(json.contains("\"amount\":null,\"quantity\":null"), "{json}");
        }
    }
    Ok(())
}

#[test]
fn no_rows_give_a_file_with_a_schema() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("none.parquet");
    write(&Spec { rows: 0, ..small() }, &path, Format::Parquet, Compression::Zstd)?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(&path)?)?;
    assert_eq!(builder.schema().fields(), schema().fields());
    assert!(read_parquet(&path)?.is_empty());
    Ok(())
}

#[test]
fn wrong_numbers_and_places_are_named_and_leave_nothing() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("none.parquet");
    let wrong = write(&Spec { entities: 0, ..small() }, &path, Format::Parquet, Compression::None);
    assert!(wrong.unwrap_err().to_string().contains("--entities is 0"));
    let nowhere = folder.path().join("missing/none.parquet");
    let missing = write(&small(), &nowhere, Format::Csv, Compression::None).unwrap_err();
    assert!(missing.to_string().contains("missing/none.parquet"), "{missing}");
    assert!(write(&small(), folder.path(), Format::Csv, Compression::None).is_err());
    assert_eq!(std::fs::read_dir(folder.path())?.count(), 0);
    Ok(())
}
