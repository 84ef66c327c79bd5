//! A look at the definitions of a project, as a person takes it: the whole
//! process, from its start to its last line.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context, ensure};

use super::Bench;
use crate::peer;
use crate::race::timed;
use crate::report::Figure;

const VIEWS: usize = 100;

/// `unskew explain` of a project with 100 views in Python, against a plain
/// CPython that imports the same file and does nothing else.
pub(super) fn explain(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let dir = bench.guests.cache_dir.join("bench/explain");
    write_project(&dir)?;
    let ours = || succeeded(bench.unskew()?.args(["--json", "explain"]).arg(&dir).output());
    let sdk = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sdk-guest/python");
    let theirs = |then: &str| {
        let mut command = Command::new(peer::program());
        command.env("PYTHONPATH", &sdk).env("PYTHONDONTWRITEBYTECODE", "1").current_dir(&dir);
        succeeded(command.args(["-c", &format!("import features{then}")]).output())
    };
    let plan: serde_json::Value = serde_json::from_slice(&ours()?.stdout)?;
    let views = plan["feature_views"].as_array().map_or(0, Vec::len);
    ensure!(views == VIEWS, "explain shows {views} views");
    let counted = theirs("; print(len(features.registry.feature_views))")?.stdout;
    ensure!(String::from_utf8_lossy(&counted).trim() == VIEWS.to_string(), "CPython has others");

    let [ours, theirs] = bench.plan.race("explain", [&mut timed(ours), &mut timed(|| theirs(""))]);
    let what = format!("`unskew explain` of {VIEWS} views in Python");
    let against = format!("{} importing them", peer::version());
    let figure = Figure::ratio("kernel.explain", &what, &against).held_to(10.0, 3.0);
    Ok(vec![figure.measured(ours, theirs, 1)])
}

fn succeeded(output: std::io::Result<Output>) -> anyhow::Result<Output> {
    let output = output.context("it cannot be run")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(output)
}

/// Views as people write them: some features each, with SQL and defaults.
fn write_project(dir: &Path) -> anyhow::Result<()> {
    let mut code = String::from(
        "from datetime import datetime\n\n\
         from unskew import Count, Entity, Feature, Percentile, Source, Sum, feature_view, sql, transform\n\
         from unskew.registry import registry\n\n\n\
         class Order:\n    user_id: str\n    amount: float | None\n    quantity: int | None\n    event_timestamp: datetime\n\n\n\
         @transform\ndef order_value(amount: float, quantity: int) -> float:\n    return amount * quantity\n\n\n\
         user = Entity(\"user\")\norders = Source(\"orders\", Order, files=[\"orders.parquet\"])\n",
    );
    for view in 0..VIEWS {
        write!(
            code,
            "\n\n@feature_view(\n    entities=[user], source=orders, filter=\"amount > {view}\",\n    \
             transforms=[order_value, sql(large=\"order_value > 100\")], ttl=\"30d\",\n)\n\
             class View{view}:\n    \"Orders above {view}.\"\n\n    \
             spend_1d = Feature(Sum(\"order_value\").over(\"1d\"), default=0.0, description=\"Of a day\")\n    \
             spend_7d = Sum(\"order_value\").over(\"7d\", hop=\"1h\")\n    \
             orders_7d = Count().over(\"7d\")\n    \
             large_30d = Count().over(\"30d\").where(\"large\")\n    \
             p95_30d = Percentile(0.95, \"order_value\").over(\"30d\")\n"
        )?;
    }
    fs::create_dir_all(dir)?;
    fs::write(dir.join("features.py"), code)?;
    fs::write(dir.join("pyproject.toml"), "[project]\nname = \"explained\"\nversion = \"1\"\n")?;
    Ok(())
}
