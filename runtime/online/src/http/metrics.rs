//! What was counted, for Prometheus and as a report for people.

use std::fmt::Write as _;
use std::sync::atomic::Ordering::Relaxed;

use axum::response::Response;
use serde_json::{Value, json};
use unskew_executor::FeatureStatus;

use crate::engine::ViewMeasure;
use crate::http::{App, MEASURED_ROUTES, reply};
use crate::measure::Histogram;

/// Bounds of Prometheus' buckets: powers of two nanoseconds, from 16 us to 17 s.
const BOUNDS: std::ops::RangeInclusive<u32> = 14..=34;
const STATUSES: [FeatureStatus; 5] = [
    FeatureStatus::Present,
    FeatureStatus::NullValue,
    FeatureStatus::NotFound,
    FeatureStatus::OutsideMaxAge,
    FeatureStatus::Error,
];

struct Exposition(String);

impl Exposition {
    fn kind(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn value(&mut self, name: &str, labels: &str, value: impl std::fmt::Display) {
        let _ = match labels.is_empty() {
            true => writeln!(self.0, "{name} {value}"),
            false => writeln!(self.0, "{name}{{{labels}}} {value}"),
        };
    }

    fn histogram(&mut self, name: &str, labels: &str, histogram: &Histogram) {
        let comma = if labels.is_empty() { "" } else { "," };
        for bound in BOUNDS {
            let count = histogram.count_below(1 << bound);
            let le = (1_u64 << bound) as f64 / 1e9;
            self.value(&format!("{name}_bucket"), &format!("{labels}{comma}le=\"{le}\""), count);
        }
        let count = histogram.count();
        self.value(&format!("{name}_bucket"), &format!("{labels}{comma}le=\"+Inf\""), count);
        self.value(&format!("{name}_sum"), labels, histogram.sum_seconds());
        self.value(&format!("{name}_count"), labels, count);
    }
}

/// Answers `/metrics`.
pub(crate) fn prometheus(app: &App) -> Response {
    let mut out = Exposition(String::with_capacity(16 << 10));
    let name = "unskew_request_duration_seconds";
    out.kind(name, "histogram", "How long requests took, by route.");
    for (route, latency) in MEASURED_ROUTES.iter().zip(&app.routes.latencies) {
        out.histogram(name, &format!("route=\"{route}\""), latency);
    }
    out.kind("unskew_requests_total", "counter", "Requests by route and class of status.");
    for (route, statuses) in MEASURED_ROUTES.iter().zip(&app.routes.statuses) {
        for (class, count) in statuses.iter().enumerate() {
            let labels = format!("route=\"{route}\",status=\"{}xx\"", class + 2);
            out.value("unskew_requests_total", &labels, count.get());
        }
    }
    let name = "unskew_stage_duration_seconds";
    out.kind(name, "histogram", "How long each stage of requests took.");
    for (stage, histogram) in stages(app) {
        out.histogram(name, &format!("stage=\"{stage}\""), histogram);
    }
    modules(app, &mut out);
    views(app, &mut out);
    let measure = &app.pusher().measure;
    out.kind("unskew_pushed_rows_total", "counter", "Rows that were pushed and taken.");
    out.value("unskew_pushed_rows_total", "", measure.rows.get());
    out.kind("unskew_dead_letters_total", "counter", "Rows that were pushed and not taken.");
    out.value("unskew_dead_letters_total", "", measure.dead_letters.get());
    out.kind("unskew_push_log_bytes", "gauge", "Bytes of the push log that are not applied yet.");
    out.value("unskew_push_log_bytes", "", measure.lag_bytes.load(Relaxed));
    out.kind(
        "unskew_push_log_lost_total",
        "counter",
        "Logged pushes that do not fit the project any more.",
    );
    out.value("unskew_push_log_lost_total", "", measure.lost.get());
    reply::of_type("text/plain; version=0.0.4; charset=utf-8", out.0)
}

fn stages(app: &App) -> [(&'static str, &Histogram); 5] {
    let stages = &app.engine().stages;
    [
        ("parse", &stages.parse),
        ("retrieve", &stages.retrieve),
        ("evaluate", &stages.evaluate),
        ("on_demand", &stages.on_demand),
        ("write", &stages.write),
    ]
}

fn modules(app: &App, out: &mut Exposition) {
    let modules = app.engine().preparations().modules().measures();
    let name = "unskew_module_call_duration_seconds";
    out.kind(name, "histogram", "How long calls of a module's transforms took.");
    for (module, measure) in &modules {
        out.histogram(name, &format!("module=\"{module}\""), &measure.calls);
    }
    for (name, help) in [
        ("unskew_module_rows_total", "Rows that a module's transforms were called with."),
        ("unskew_module_faults_total", "Rows that failed in a module."),
        ("unskew_module_refusals_total", "Calls of a module that gave no outcome."),
        ("unskew_module_fuel_total", "Fuel that a module's transforms used."),
    ] {
        out.kind(name, "counter", help);
        for (module, measure) in &modules {
            let value = match name {
                "unskew_module_rows_total" => &measure.rows,
                "unskew_module_faults_total" => &measure.faults,
                "unskew_module_refusals_total" => &measure.refusals,
                _ => &measure.fuel,
            };
            out.value(name, &format!("module=\"{module}\""), value.get());
        }
    }
}

/// All views by name, with what is known of them.
fn with_views(app: &App, mut each: impl FnMut(&str, &ViewMeasure)) {
    let (views, on_demand) = app.engine().preparations().served();
    for view in &views {
        each(&view.operator.view().id.to_string(), &view.measure);
    }
    for view in &on_demand {
        each(&view.operator.view().id.to_string(), &view.measure);
    }
}

fn views(app: &App, out: &mut Exposition) {
    let name = "unskew_view_computation_seconds";
    out.kind(name, "histogram", "From stored bytes or inputs to values, by view.");
    with_views(app, |view, measure| {
        out.histogram(name, &format!("view=\"{view}\""), &measure.computation);
    });
    let name = "unskew_values_total";
    out.kind(name, "counter", "Values that were served, by view and true status.");
    with_views(app, |view, measure| {
        for (status, count) in STATUSES.iter().zip(&measure.statuses) {
            out.value(name, &format!("view=\"{view}\",status=\"{status}\""), count.get());
        }
    });
    let name = "unskew_oldest_value_seconds";
    out.kind(
        name,
        "gauge",
        "The greatest age of a value that was served within the last alert interval.",
    );
    with_views(app, |view, measure| {
        let age = measure.last_oldest_us() as f64 / 1e6;
        out.value(name, &format!("view=\"{view}\""), age);
    });
}

/// Answers `/v1/performance`.
pub(crate) fn performance(app: &App) -> Response {
    let stages: serde_json::Map<_, _> =
        stages(app).into_iter().map(|(stage, h)| (stage.to_owned(), summary(h))).collect();
    let routes = MEASURED_ROUTES.iter().zip(&app.routes.latencies);
    let routes: serde_json::Map<_, _> =
        routes.map(|(route, h)| ((*route).to_owned(), summary(h))).collect();
    let modules = app.engine().preparations().modules().measures();
    let mut modules: Vec<_> = modules.into_iter().collect();
    modules.sort_by(|(_, a), (_, b)| b.calls.mean_seconds().total_cmp(&a.calls.mean_seconds()));
    let slowest: Vec<Value> = modules
        .iter()
        .map(|(name, measure)| {
            json!({
                "module": name,
                "calls": summary(&measure.calls),
                "rows": measure.rows.get(),
                "faults": measure.faults.get(),
                "fuel": measure.fuel.get(),
            })
        })
        .collect();
    let mut views = Vec::new();
    let (mut found, mut total) = (0, 0);
    with_views(app, |view, measure| {
        let counts: Vec<u64> = measure.statuses.iter().map(|count| count.get()).collect();
        let (here, all) = (counts[0] + counts[1], counts.iter().sum::<u64>());
        found += here;
        total += all;
        let statuses: serde_json::Map<_, _> = STATUSES
            .iter()
            .zip(&counts)
            .map(|(status, count)| (status.to_string(), (*count).into()))
            .collect();
        views.push(json!({
            "view": view,
            "hit_rate": share(here, all),
            "statuses": statuses,
            "oldest_seconds": measure.last_oldest_us() as f64 / 1e6,
            "computation": summary(&measure.computation),
        }));
    });
    let stages_all = &app.engine().stages;
    reply::json(&json!({
        "hit_rate": share(found, total),
        "retrieval": summary(&stages_all.retrieve),
        "computation": {
            "stored": summary(&stages_all.evaluate),
            "on_demand": summary(&stages_all.on_demand),
        },
        "stages": stages,
        "routes": routes,
        "slowest_modules": slowest,
        "views": views,
    }))
}

/// The share of values that were found; null before there were any.
fn share(part: u64, all: u64) -> Value {
    match all {
        0 => Value::Null,
        all => (part as f64 / all as f64).into(),
    }
}

fn summary(histogram: &Histogram) -> Value {
    json!({
        "count": histogram.count(),
        "mean_ms": histogram.mean_seconds() * 1e3,
        "p50_ms": histogram.quantile_seconds(0.5) * 1e3,
        "p95_ms": histogram.quantile_seconds(0.95) * 1e3,
        "p99_ms": histogram.quantile_seconds(0.99) * 1e3,
        "max_ms": histogram.max_seconds() * 1e3,
    })
}
