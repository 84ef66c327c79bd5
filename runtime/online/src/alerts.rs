//! Alerts: measures looked at now and then, and a webhook told when one is
//! above its bound and when it no longer is.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use unskew_executor::FeatureStatus;

use crate::alert_rule::{AlertMeasure, AlertRule};
use crate::engine::Engine;
use crate::http::ended;
use crate::settings::Clock;

/// How often measures are looked at.
const EVERY: Duration = Duration::from_secs(1);
/// How long a webhook may take.
const WEBHOOK: Duration = Duration::from_secs(5);

/// What all views together counted until some moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Counts {
    statuses: [u64; 5],
    oldest_us: u64,
}

/// A rule and what it saw.
struct Watched {
    rule: AlertRule,
    /// One for each look, the oldest first.
    seen: VecDeque<Counts>,
    is_raised: bool,
}

impl Watched {
    /// Takes the newest counts; what is to be told, if anything changed.
    fn look(&mut self, counts: Counts) -> Option<(bool, f64)> {
        let looks = (self.rule.over.as_secs().max(1) + 1) as usize;
        self.seen.push_back(counts);
        while self.seen.len() > looks {
            self.seen.pop_front();
        }
        let value = self.value();
        let is_above = value > self.rule.above;
        let changed = is_above != self.is_raised;
        self.is_raised = is_above;
        changed.then_some((is_above, value))
    }

    fn value(&self) -> f64 {
        let (Some(first), Some(last)) = (self.seen.front(), self.seen.back()) else { return 0.0 };
        let grown = |status: FeatureStatus| {
            let at = status as usize;
            last.statuses[at].saturating_sub(first.statuses[at]) as f64
        };
        let all: u64 = last.statuses.iter().sum::<u64>() - first.statuses.iter().sum::<u64>();
        let share = |status| if all == 0 { 0.0 } else { grown(status) / all as f64 };
        match self.rule.measure {
            AlertMeasure::StaleShare => share(FeatureStatus::OutsideMaxAge),
            AlertMeasure::MissingShare => share(FeatureStatus::NotFound),
            AlertMeasure::ErrorShare => share(FeatureStatus::Error),
            AlertMeasure::AgeSeconds => {
                let oldest = self.seen.iter().map(|counts| counts.oldest_us).max();
                oldest.unwrap_or(0) as f64 / 1e6
            }
        }
    }
}

/// Watches until told to end.
pub(crate) async fn watch(
    rules: Vec<AlertRule>,
    engine: Arc<Engine>,
    clock: Clock,
    mut end: watch::Receiver<bool>,
) {
    let watched = |rule| Watched { rule, seen: VecDeque::new(), is_raised: false };
    let mut watched: Vec<Watched> = rules.into_iter().map(watched).collect();
    while tokio::time::timeout(EVERY, ended(&mut end)).await.is_err() {
        let views = counts(&engine);
        for watched in &mut watched {
            let counts = together(&views, watched.rule.view.as_deref());
            let Some((is_raised, value)) = watched.look(counts) else { continue };
            let AlertRule { name, measure, above, over, view, webhook } = &watched.rule;
            let document = json!({
                "alert": name,
                "status": if is_raised { "raised" } else { "over" },
                "measure": measure,
                "view": view,
                "value": value,
                "above": above,
                "over_seconds": over.as_secs(),
                "time_us": clock(),
            });
            tracing::warn!(alert = name, is_raised, value, "an alert changed");
            let (webhook, body) = (webhook.clone(), document.to_string());
            tokio::spawn(async move {
                let posted = tokio::time::timeout(WEBHOOK, post(&webhook, &body)).await;
                let why = match posted {
                    Ok(Ok(())) => return,
                    Ok(Err(error)) => error.to_string(),
                    Err(_) => format!("no answer within {WEBHOOK:?}"),
                };
                tracing::error!(webhook, why, "an alert could not be delivered");
            });
        }
    }
}

/// What each view counted, by its name and version.
fn counts(engine: &Engine) -> Vec<(String, u32, Counts)> {
    let (views, on_demand) = engine.preparations().served();
    let of = |id: &unskew_plan::ViewId, measure: &crate::engine::ViewMeasure| {
        let statuses = std::array::from_fn(|at| measure.statuses[at].get());
        let oldest_us = measure.take_oldest_us();
        (id.name.to_string(), id.version, Counts { statuses, oldest_us })
    };
    let views = views.iter().map(|view| of(&view.operator.view().id, &view.measure));
    let others = on_demand.iter().map(|view| of(&view.operator.view().id, &view.measure));
    views.chain(others).collect()
}

/// The counts of a view (`name`, `name@vN`), or of all.
fn together(views: &[(String, u32, Counts)], view: Option<&str>) -> Counts {
    let mut total = Counts::default();
    for (name, version, counts) in views {
        let is_meant = view.is_none_or(|view| match view.split_once("@v") {
            None => view == name,
            Some((of, number)) => of == name && number.parse() == Ok(*version),
        });
        if is_meant {
            for (total, count) in total.statuses.iter_mut().zip(counts.statuses) {
                *total += count;
            }
            total.oldest_us = total.oldest_us.max(counts.oldest_us);
        }
    }
    total
}

/// Posts JSON to a URL that begins with `http://`.
async fn post(url: &str, body: &str) -> std::io::Result<()> {
    let wrong = |what: &str| std::io::Error::new(std::io::ErrorKind::InvalidInput, what.to_owned());
    let uri: hyper::Uri = url.parse().map_err(|_| wrong("it is no URL"))?;
    let authority = uri.authority().ok_or_else(|| wrong("it names no host"))?;
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let mut stream = TcpStream::connect((host, authority.port_u16().unwrap_or(80))).await?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {authority}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(4096).read_to_end(&mut answer).await?;
    let status = answer.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
    match status.first() {
        Some(b'2') => Ok(()),
        _ => Err(std::io::Error::other(format!(
            "it answered with the status {:?}",
            String::from_utf8_lossy(&status[..status.len().min(40)])
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(measure: AlertMeasure, above: f64, seconds: u64) -> Watched {
        let rule = AlertRule {
            name: "old".to_owned(),
            measure,
            above,
            over: Duration::from_secs(seconds),
            view: None,
            webhook: "http://127.0.0.1:1/".to_owned(),
        };
        Watched { rule, seen: VecDeque::new(), is_raised: false }
    }

    #[test]
    fn a_share_is_that_of_the_interval() {
        let counts = |present, stale| Counts { statuses: [present, 0, 0, stale, 0], oldest_us: 0 };
        let mut watched = rule(AlertMeasure::StaleShare, 0.5, 2);
        assert_eq!(watched.look(counts(100, 0)), None);
        assert_eq!(watched.look(counts(101, 3)), Some((true, 0.75)));
        assert_eq!(watched.look(counts(101, 3)), None);
        // What was stale lies before the interval now.
        assert_eq!(watched.look(counts(105, 3)), Some((false, 0.0)));
    }

    #[test]
    fn an_age_is_the_greatest_of_the_interval() {
        let mut watched = rule(AlertMeasure::AgeSeconds, 10.0, 1);
        let counts = |oldest_us| Counts { statuses: [0; 5], oldest_us };
        assert_eq!(watched.look(counts(11_000_000)), Some((true, 11.0)));
        assert_eq!(watched.look(counts(0)), None);
        assert_eq!(watched.look(counts(0)), Some((false, 0.0)));
    }

    #[test]
    fn a_view_is_meant_with_all_its_versions_or_one() {
        let one = Counts { statuses: [1, 0, 0, 0, 0], oldest_us: 5 };
        let views = [("a".to_owned(), 1, one), ("a".to_owned(), 2, one), ("b".to_owned(), 1, one)];
        let present = |view| together(&views, view).statuses[0];
        assert_eq!([present(None), present(Some("a")), present(Some("a@v2"))], [3, 2, 1]);
    }

    #[tokio::test]
    async fn a_webhook_is_told_by_http() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook?x=1", listener.local_addr().unwrap());
        let told = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut text = vec![0; 4096];
            let mut length = 0;
            while !text[..length].ends_with(b"{\"a\":1}") {
                let read = stream.read(&mut text[length..]).await.unwrap();
                assert!(read > 0);
                length += read;
            }
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
            String::from_utf8_lossy(&text[..length]).into_owned()
        });
        post(&url, "{\"a\":1}").await.unwrap();
        let told = told.await.unwrap();
        assert!(told.starts_with("POST /hook?x=1 HTTP/1.1\r\n"), "{told}");
        assert!(post("http://127.0.0.1:1/", "{}").await.is_err());
    }
}
