use anyhow::Context as _;
use arrow::array::TimestampMicrosecondArray;
use serde_json::Value;
use unskew_column::text::ColumnBuilder;
use unskew_definition::DataType;

/// The microseconds since the epoch that a time's text stands for.
pub fn parse_time(text: &str) -> anyhow::Result<i64> {
    let mut time = ColumnBuilder::new(&DataType::Timestamp, 1);
    time.push_text(text)?;
    let time = time.finish();
    let time = time.as_any().downcast_ref::<TimestampMicrosecondArray>();
    Ok(time.context("a timestamp is one")?.value(0))
}

/// A value as the text that spells it, as a CSV file would have it; none for
/// null, and for what is left out.
pub fn spelled(value: Option<&Value>) -> Option<String> {
    match value {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text.clone()),
        Some(other) => Some(other.to_string()),
    }
}
