//! The table that people read, and the lines that programs do.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Context;
use serde_json::{Value, json};

/// One number, what it is held to, and what it was measured against.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    pub(crate) id: String,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    pub(crate) higher_is_better: bool,
    /// What was done.
    pub(crate) what: String,
    /// The floor or peer.
    pub(crate) against: String,
    pub(crate) must: Option<f64>,
    pub(crate) goal: Option<f64>,
    /// The same with `nan: strict`.
    pub(crate) strict: Option<f64>,
    /// The two times behind the ratio, for people.
    pub(crate) times: String,
}

impl Figure {
    /// How many times as long it takes as `against`.
    pub(crate) fn ratio(id: impl Into<String>, what: &str, against: &str) -> Self {
        Self {
            id: id.into(),
            value: f64::NAN,
            unit: "x",
            higher_is_better: false,
            what: what.to_owned(),
            against: against.to_owned(),
            must: None,
            goal: None,
            strict: None,
            times: String::new(),
        }
    }

    pub(crate) fn held_to(mut self, must: f64, goal: f64) -> Self {
        self.must = Some(must);
        self.goal = Some(goal);
        self
    }

    /// Ours and theirs, in nanoseconds per `rows` rows.
    pub(crate) fn measured(mut self, ours: f64, theirs: f64, rows: usize) -> Self {
        self.value = ours / theirs;
        let per = if rows > 1 { " per row" } else { "" };
        let rows = rows as f64;
        self.times = format!("{} / {}{per}", time(ours / rows), time(theirs / rows));
        self
    }

    pub(crate) fn strict(mut self, strict: f64, theirs: f64) -> Self {
        self.strict = Some(strict / theirs);
        self
    }

    fn verdict(&self) -> &'static str {
        let meets = |bound: f64| {
            if self.higher_is_better { self.value >= bound } else { self.value <= bound }
        };
        match (self.must, self.goal) {
            (_, Some(goal)) if meets(goal) => "goal",
            (Some(must), _) if meets(must) => "must",
            (Some(_), _) => "MISSED",
            _ => "",
        }
    }

    fn line(&self) -> Value {
        json!({
            "figure": self.id,
            "value": self.value,
            "unit": self.unit,
            "better": if self.higher_is_better { "higher" } else { "lower" },
            "against": self.against,
            "must": self.must,
            "goal": self.goal,
        })
    }
}

/// A time as people say it.
pub(crate) fn time(nanoseconds: f64) -> String {
    let (value, unit) = match nanoseconds {
        n if n < 1e3 => (n, "ns"),
        n if n < 1e6 => (n / 1e3, "us"),
        n if n < 1e9 => (n / 1e6, "ms"),
        n => (n / 1e9, "s"),
    };
    let digits = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
    format!("{value:.digits$} {unit}")
}

/// The table, in Markdown.
pub(crate) fn table(figures: &[Figure]) -> String {
    let number = |value: Option<f64>| value.map_or(String::new(), |v| format!("{v:.2}"));
    let mut rows = vec![
        ["figure", "value", "strict", "must", "goal", "meets", "times", "what", "against"]
            .map(str::to_owned),
    ];
    for figure in figures {
        rows.push([
            figure.id.clone(),
            format!("{:.2} {}", figure.value, figure.unit),
            number(figure.strict),
            number(figure.must),
            number(figure.goal),
            figure.verdict().to_owned(),
            figure.times.clone(),
            figure.what.clone(),
            figure.against.clone(),
        ]);
    }
    let widths: [usize; 9] = std::array::from_fn(|column| {
        rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0)
    });
    rows.insert(1, widths.map(|width| "-".repeat(width)));
    let mut text = String::new();
    for row in rows {
        for (cell, width) in row.iter().zip(widths) {
            let _ = write!(text, "| {cell:width$} ");
        }
        text.push_str("|\n");
    }
    text
}

/// Writes one line of JSON for each figure.
pub(crate) fn write_lines(path: &Path, figures: &[Figure]) -> anyhow::Result<()> {
    let lines: String = figures.iter().map(|figure| format!("{}\n", figure.line())).collect();
    fs::write(path, lines).with_context(|| format!("cannot write {}", path.display()))
}
