//! The online driver: HTTP requests in, features out.
//!
//! [`serve`] answers Feast's routes, our own under `/v1`, and the simple ones
//! under `/features`. A request is looked up in the plan, what it needs is read
//! from the online store in one round trip, and the executor makes values of
//! it: this room computes none. What it adds is what a server needs: bounds,
//! deadlines, measures, a log of pushes, alerts.
//!
//! It may not know files or how anything is materialized: whoever starts it
//! hands in what reaches batch and the offline store ([`Materializer`],
//! [`PushArchive`], [`ServedSink`]). The time of asking comes in as a
//! [`Clock`]; other clocks here measure and keep deadlines.

mod alert_rule;
mod alerts;
mod engine;
mod error;
mod http;
mod measure;
mod project;
mod push;
mod registered;
mod replay;
mod serve;
mod served_log;
mod settings;

pub use alert_rule::{AlertMeasure, AlertRule};
pub use engine::{Answer, Ask, AskedTime, Engine, RawColumns, RawRow, Wanted};
pub use error::{OnlineError, UnknownKind};
pub use http::{MaterializeJob, Materializer, ServeError};
pub use project::OnlineProject;
pub use push::{PushArchive, PushTo};
pub use replay::{Difference, served_rows};
pub use serve::{Serving, serve};
pub use served_log::{ServedAnswer, ServedSink, served_batch, served_schema};
pub use settings::{Clock, ServeSettings};
