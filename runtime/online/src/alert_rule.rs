use std::time::Duration;

use serde::{Deserialize, Deserializer};
use unskew_definition::parse_duration;

/// When to tell somebody that answers are not as they should be.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertRule {
    /// What the alert is called.
    pub name: String,
    /// What is watched.
    pub measure: AlertMeasure,
    /// The alert is raised while the measure is above this: a share from 0 to
    /// 1, or seconds.
    pub above: f64,
    /// The time over which the measure is taken; 1 minute if not given.
    #[serde(default = "one_minute", deserialize_with = "length")]
    pub over: Duration,
    /// The view that is watched, `name` or `name@vN`; all views if not given.
    #[serde(default)]
    pub view: Option<String>,
    /// The URL (http) to which the alert is posted as JSON when it is raised
    /// and when it is over.
    #[serde(deserialize_with = "http")]
    pub webhook: String,
}

/// What an alert watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertMeasure {
    /// The share of values with the status OUTSIDE_MAX_AGE.
    StaleShare,
    /// The share of values with the status NOT_FOUND.
    MissingShare,
    /// The share of values with the status ERROR.
    ErrorShare,
    /// The greatest age of a value that was found, in seconds.
    AgeSeconds,
}

fn one_minute() -> Duration {
    Duration::from_secs(60)
}

fn length<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    match parse_duration(&text) {
        Ok(length) if length >= 1_000_000 => Ok(Duration::from_micros(length.unsigned_abs())),
        Ok(_) => Err(serde::de::Error::custom("over: an alert looks back a second or more")),
        Err(error) => Err(serde::de::Error::custom(format!("over: {error}"))),
    }
}

fn http<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    match text.parse::<hyper::Uri>() {
        Ok(uri) if uri.scheme_str() == Some("http") && uri.host().is_some() => Ok(text),
        _ => Err(serde::de::Error::custom(format!(
            "webhook: {text:?} is no URL that begins with http://"
        ))),
    }
}
