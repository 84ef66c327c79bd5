//! The definition of shop.yaml, in Rust.

use unskew::Timestamp;
use unskew::definition::*;

#[unskew::transform]
fn order_value(amount: f64, pieces: i32) -> f64 {
    amount * f64::from(pieces)
}

#[unskew::transform]
fn price_ratio(amount: f64, spend: f64) -> Option<f64> {
    (spend != 0.0).then(|| amount / spend)
}

#[derive(Default, unskew::State)]
struct Spent {
    cents: i128,
}

#[unskew::aggregate]
impl Spent {
    fn update(&mut self, amount: f64) {
        self.cents += (amount.clamp(-1e12, 1e12) * 100.0).round() as i128;
    }

    fn merge(&mut self, other: &Self) {
        self.cents += other.cents;
    }

    fn finish(&self) -> Option<i64> {
        i64::try_from(self.cents).ok()
    }
}

fn definitions() -> Definitions {
    Definitions::new()
        .entity(
            entity("user")
                .join_key::<String>("user_id")
                .description("Who orders.")
                .owner("risk")
                .tag("team", "payments"),
        )
        .entity(entity("account").join_key::<String>("bank").join_key::<i64>("number"))
        .source(
            source("orders")
                .field_of::<Option<String>>("user_id", "uid")
                .field::<Option<String>>("bank")
                .field::<Option<i64>>("account_number")
                .field::<Option<f64>>("amount")
                .field::<Option<i32>>("quantity")
                .field::<Option<Vec<Option<i64>>>>("sizes")
                .field::<Option<String>>("order_id")
                .field::<Timestamp>("ordered_at")
                .field::<Option<Timestamp>>("known_at")
                .event_timestamp("ordered_at")
                .created_timestamp("known_at")
                .event_id("order_id")
                .out_of_orderness("10s")
                .max_future_skew("2m")
                .allowed_lateness("1h30m")
                .refuse_bad_rows()
                .files(["data/orders/*.parquet"])
                .kafka_topic("orders")
                .push()
                .description("What was ordered."),
        )
        .request_source(request_source("checkout").field::<f64>("amount"))
        .feature_view(
            feature_view("user_orders")
                .entity("user")
                .source("orders")
                .filter("amount > 0")
                .step(sql("value", "amount * quantity").and("large", "amount > 100"))
                .step(
                    call::<order_value>()
                        .input("pieces", "quantity")
                        .output("order_value", "worth"),
                )
                .aggregate("spend_7d", sum("value").over("7d").hop("1h").where_sql("value > 10"))
                .aggregate("orders_7d", count().over("7d"))
                .aggregate("p95", percentile(0.95, "worth").over("30d"))
                .aggregate("recent", last_n(5, "amount").over("1d"))
                .aggregate("spent", user_aggregate::<Spent>().input("amount", "value").over("7d"))
                .post_step(sql("mean", "spend_7d / nullif(orders_7d, 0)"))
                .feature(
                    feature("spend_7d")
                        .data_type::<f64>()
                        .default_value(0.0)
                        .description("What was spent")
                        .owner("risk")
                        .tag("pii", "no"),
                )
                .feature(feature("orders_7d"))
                .feature(feature("p95"))
                .feature(feature("recent"))
                .feature(feature("spent"))
                .feature(feature("mean"))
                .ttl("30d")
                .on_error("default")
                .description("What a user orders."),
        )
        .feature_view(
            feature_view("account_hours")
                .version(2)
                .entity("account")
                .join_key("number", "account_number")
                .source("orders")
                .window(Window::tumbling_from("1h", "15m"))
                .aggregate("orders", count())
                .aggregate("total", sum("amount")),
        )
        .on_demand_feature_view(
            on_demand_feature_view("price_ratio")
                .input("amount", "checkout:amount")
                .input("spend", "user_orders:spend_7d")
                .step(call::<price_ratio>())
                .description("How large this order is among the user's."),
        )
        .on_demand_feature_view(
            on_demand_feature_view("price_check")
                .input("amount", "checkout:amount")
                .step(sql("share", "amount / nullif({{user_orders.spend_7d}}, 0)"))
                .feature(feature("share").default_value(1))
                .on_error("fail")
                .depends_on("user_orders:spend_7d")
                .depends_on("checkout:amount"),
        )
        .feature_service(
            feature_service("fraud")
                .feature("user_orders")
                .feature("account_hours:total")
                .feature("price_ratio")
                .feature("price_check:share")
                .owner("risk"),
        )
}

unskew::module!(
    name = "shop",
    description = "",
    transforms = [order_value, price_ratio],
    aggregates = [Spent],
    definitions = definitions,
);
