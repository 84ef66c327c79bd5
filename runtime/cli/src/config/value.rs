//! The text of a value to the value, by the kind of its key.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::time::Duration;

use unskew_definition::parse_duration;
use unskew_online::AlertRule;

use super::keys::Kind;

/// The value of a key.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Text(String),
    List(Vec<String>),
    Duration(Duration),
    Number(u64),
    Switch(bool),
    Share(f64),
    Listen(SocketAddr),
    Alerts(Vec<AlertRule>),
}

/// Reads a value; the error says what is wrong and what to write.
pub(crate) fn parse(kind: Kind, text: &str) -> Result<Value, (String, String)> {
    let wrong = |what: &str, fix: &str| Err((what.to_owned(), fix.to_owned()));
    match kind {
        Kind::Text | Kind::Path if text.is_empty() => {
            wrong("it is empty", "write a value, or leave the key out")
        }
        Kind::Text | Kind::Path => Ok(Value::Text(text.to_owned())),
        Kind::List => match list(text) {
            Some(items) if !items.is_empty() => Ok(Value::List(items)),
            _ => wrong("it is no list of texts", "write such as [\"a\", \"b\"]"),
        },
        Kind::Duration => match parse_duration(text) {
            Ok(0) => wrong("it must be above 0", "write such as \"5s\", \"1h30m\" or \"30d\""),
            Ok(length) => Ok(Value::Duration(Duration::from_micros(length.unsigned_abs()))),
            Err(error) => wrong(&error.to_string(), "write such as \"5s\", \"1h30m\" or \"30d\""),
        },
        Kind::Size => match size(text) {
            Some(0) | None => {
                wrong("it is no size above 0", "write bytes, such as 1048576, or \"16MiB\"")
            }
            Some(bytes) => Ok(Value::Number(bytes)),
        },
        Kind::Count(least, most) => match text.parse::<u64>() {
            Ok(count) if (least..=most).contains(&count) => Ok(Value::Number(count)),
            _ => wrong("it is no such number", &format!("write one from {least} to {most}")),
        },
        Kind::Switch => match text {
            "true" => Ok(Value::Switch(true)),
            "false" => Ok(Value::Switch(false)),
            _ => wrong("it is neither true nor false", "write true or false"),
        },
        Kind::Choice(words) if words.contains(&text) => Ok(Value::Text(text.to_owned())),
        Kind::Choice(words) => {
            wrong("there is no such choice", &unskew_definition::meant(text, words.iter().copied()))
        }
        Kind::Share => match text.parse::<f64>() {
            Ok(share) if (0.0..=1.0).contains(&share) => Ok(Value::Share(share)),
            _ => wrong("it is no share", "write a number from 0 to 1"),
        },
        Kind::Listen => match text.to_socket_addrs().ok().and_then(|mut found| found.next()) {
            Some(address) => Ok(Value::Listen(address)),
            None => wrong(
                "it is no address to listen at",
                "write host and port, such as \"127.0.0.1:6566\" or \"[::1]:6566\"",
            ),
        },
        Kind::Url(schemes) => {
            let known = |scheme: &&str| {
                text.strip_prefix(*scheme)
                    .and_then(|rest| rest.strip_prefix("://"))
                    .is_some_and(|rest| !rest.is_empty())
            };
            match schemes.iter().any(known) {
                true => Ok(Value::Text(text.to_owned())),
                false => {
                    let fix =
                        format!("write a URL that begins with {}://", schemes.join(":// or "));
                    wrong("it is no such URL", &fix)
                }
            }
        }
        Kind::Alerts => match serde_json::from_str::<Vec<AlertRule>>(text) {
            Ok(rules) => Ok(Value::Alerts(rules)),
            Err(error) => wrong(
                &format!("it is no list of alert rules: {error}"),
                "a rule has name, measure, above and webhook, and may have over and view",
            ),
        },
    }
}

/// A list as TOML or JSON write it, or texts with commas between them.
fn list(text: &str) -> Option<Vec<String>> {
    if text.starts_with('[') {
        return serde_json::from_str(text).ok();
    }
    let items = text.split(',').map(|item| item.trim().to_owned());
    Some(items.filter(|item| !item.is_empty()).collect())
}

/// Bytes: `1048576`, `512 KiB`, `16MiB`, `2GiB`.
pub(crate) fn size(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = match unit.trim() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_bytes_with_units() {
        let sizes = ["1", "16MiB", "512 KiB", "2GiB", "10B"].map(|text| size(text).unwrap());
        assert_eq!(sizes, [1, 16 << 20, 512 << 10, 2 << 30, 10]);
        for text in ["", "MiB", "-1", "1.5GiB", "2GB", "99999999999TiB"] {
            assert_eq!(size(text), None, "{text}");
        }
    }

    #[test]
    fn values_are_what_their_key_may_hold() {
        let good = |kind, text| assert!(parse(kind, text).is_ok(), "{kind:?} {text}");
        let bad = |kind, text| assert!(parse(kind, text).is_err(), "{kind:?} {text}");
        good(Kind::Listen, "127.0.0.1:0");
        good(Kind::Listen, "[::1]:6566");
        bad(Kind::Listen, "6566");
        bad(Kind::Listen, "127.0.0.1:99999");
        good(Kind::Url(&["http", "https"]), "https://host:9000");
        bad(Kind::Url(&["http", "https"]), "ftp://host");
        bad(Kind::Url(&["redis"]), "redis://");
        good(Kind::Share, "0.25");
        bad(Kind::Share, "NaN");
        bad(Kind::Share, "2");
        bad(Kind::Duration, "0s");
        bad(Kind::Count(1, 4), "0");
        bad(Kind::Text, "");
        assert_eq!(
            parse(Kind::List, "a.yaml, b/*.yaml").unwrap(),
            parse(Kind::List, "[\"a.yaml\", \"b/*.yaml\"]").unwrap()
        );
        bad(Kind::List, "[1]");
        good(Kind::Alerts, "[]");
        bad(Kind::Alerts, "[{}]");
    }
}
