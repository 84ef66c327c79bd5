//! Features of shop events: what an order is worth, when and where it happened.

mod orders;
mod places;
mod times;

use orders::{AverageOrder, order_value, spend_level};
use places::nearest_warehouse;
use times::hour_of_week;

unskew::module!(
    name = "ecommerce_rust",
    description = "Features of shop events: what an order is worth, when and where it happened.",
    transforms = [order_value, spend_level, hour_of_week, nearest_warehouse],
    aggregates = [AverageOrder],
);
