//! The online driver: HTTP requests in, features out.

mod alert_rule;

pub use alert_rule::{AlertMeasure, AlertRule};
