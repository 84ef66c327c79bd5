//! `/v1/features`: true statuses, provenance, any moment, JSON and Arrow; and
//! the very values that a training set has.

mod shared;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Float64Type, Schema, TimeUnit};
use arrow::ipc::reader::StreamReader;
use serde_json::{Value, json};
use shared::{NOON, TestServer, plan_of};
use unskew_executor::NoModules;
use unskew_executor::rows::{Acceptance, SourceReader};
use unskew_executor::service::{Questions, ServiceOperator};

const ORDERS: [(&str, f64, &str); 5] = [
    ("u1", 0.1, "2026-01-01T10:00:00Z"),
    ("u1", 0.2, "2026-01-01T11:00:00Z"),
    ("u2", 5.0, "2026-01-01T09:00:00Z"),
    ("u3", f64::MAX, "2026-01-01T09:30:00Z"),
    ("u1", 0.7, "2025-12-31T12:30:00Z"),
];

#[tokio::test(flavor = "multi_thread")]
async fn statuses_are_true_and_values_say_where_they_come_from() {
    let dir = tempfile::tempdir().unwrap();
    let server = TestServer::shop(dir.path()).await;
    server.push_orders(&ORDERS).await.ok();
    let body = json!({
        "features": ["spend:total", "last_order:amount@v1", "last_order:cents@v1"],
        "rows": [{ "user_id": "u1" }, { "user_id": "u2" }, { "user_id": "u3" }, { "user_id": "none" }],
    });
    let document = server.post("/v1/features", &body).await.ok();
    let answer = &document["answer"];
    assert_eq!((&document["evaluator"], &answer["partial"]), (&json!("test"), &json!(false)));
    assert_eq!(answer["time"], "2026-01-01T12:00:00.000000Z");
    assert_eq!(answer["entities"]["user_id"], json!(["u1", "u2", "u3", "none"]));
    let total = &answer["features"][0];
    assert_eq!((&total["feature"], &total["type"]), (&json!("spend:total@v1"), &json!("float64")));
    assert_eq!(total["statuses"], json!(["PRESENT", "PRESENT", "PRESENT", "NOT_FOUND"]));
    assert_eq!(total["values"][3], json!(-1.0));
    assert_eq!(total["ages_seconds"], json!([3600.0, 10800.0, 9000.0, null]));
    let cents = &answer["features"][2];
    assert_eq!(
        cents["statuses"],
        json!(["PRESENT", "OUTSIDE_MAX_AGE", "OUTSIDE_MAX_AGE", "NOT_FOUND"])
    );
    // As of an hour ago u3's order was young enough, and does not fit its type.
    let mut then = body.clone();
    then["time"] = json!("2026-01-01T11:00:00Z");
    let document = server.post("/v1/features", &then).await.ok();
    let cents = &document["answer"]["features"][2];
    assert_eq!(cents["statuses"][2], "ERROR", "{cents}");
    assert_eq!(cents["errors"][0]["row"], 2, "{cents}");
    server.end().await;
}

/// What `unskew train` answers: the same operators over the rows themselves.
fn trained(
    service: &str,
    users: &[&str],
    times: &[i64],
    prices: &[f64],
) -> Vec<(String, Vec<String>, Vec<String>)> {
    let plan = plan_of(shared::SHOP);
    let service = plan.services.iter().find(|known| known.name == *service).unwrap();
    let operator = ServiceOperator::new(&service.features, &NoModules).unwrap();
    let source = Arc::clone(&plan.sources[0]);
    let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let schema = Schema::new(vec![
        Field::new("user_id", DataType::Utf8, true),
        Field::new("amount", DataType::Float64, true),
        Field::new("ts", DataType::Utf8, true),
    ]);
    let batch = RecordBatch::try_new(
        Arc::new(schema.clone()),
        vec![
            Arc::new(ORDERS.iter().map(|order| Some(order.0)).collect::<StringArray>()),
            Arc::new(
                ORDERS.iter().map(|order| Some(order.1)).collect::<arrow::array::Float64Array>(),
            ),
            Arc::new(ORDERS.iter().map(|order| Some(order.2)).collect::<StringArray>()),
        ],
    )
    .unwrap();
    let rows = SourceReader::new(&source, &schema).unwrap().read(&batch).unwrap();
    let mut acceptance = Acceptance::new(Arc::clone(&source));
    acceptance.push(&rows, &"test".into(), 0).unwrap();
    let rows = BTreeMap::from([(source.name.clone(), acceptance.finish().unwrap())]);
    let mut questions = Questions::new(times.to_vec());
    let name = |text: &str| unskew_definition::Name::new(text).unwrap();
    let users: StringArray = users.iter().map(|user| Some(*user)).collect();
    questions.set_join_key(name("user_id"), Arc::new(users)).unwrap();
    let prices: arrow::array::Float64Array = prices.to_vec().into();
    questions.set_request_field(name("checkout"), name("price"), Arc::new(prices)).unwrap();
    let answers = operator.answer(&rows, &questions).unwrap();
    drop(utc);
    answers
        .features
        .iter()
        .map(|feature| {
            let printer = unskew_column::text::ColumnPrinter::new(&feature.answers.values).unwrap();
            let text = |row| {
                let mut out = Vec::new();
                printer.print_json(row, &mut out);
                String::from_utf8(out).unwrap()
            };
            let statuses = feature.answers.statuses.iter().map(ToString::to_string);
            (
                feature.field.name.to_string(),
                (0..times.len()).map(text).collect(),
                statuses.collect(),
            )
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn online_and_training_give_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let server = TestServer::shop(dir.path()).await;
    server.push_orders(&ORDERS).await.ok();
    let users = ["u1", "u2", "u1", "none", "u3", "u1", "u2", "u1"];
    // At and around events, hops and ends of windows.
    let offsets = [0, 0, -3_600_000_000, 0, -9_000_000_000, -3_600_000_001, 86_400_000_000, 1];
    let times: Vec<i64> = offsets.iter().map(|offset| NOON + offset).collect();
    let prices: Vec<f64> = (1..=8).map(f64::from).collect();
    let text = |us: &i64| {
        let mut out = Vec::new();
        unskew_column::text::print_utc(*us, &mut out);
        String::from_utf8(out).unwrap()
    };
    let body = json!({
        "service": "fraud",
        "entities": { "user_id": users },
        "request": { "price": prices },
        "times": times.iter().map(text).collect::<Vec<_>>(),
    });
    let reply = server.post("/v1/features", &body).await;
    // Numbers as they were printed, digit by digit.
    #[derive(serde::Deserialize)]
    struct Document {
        answer: Answer,
    }
    #[derive(serde::Deserialize)]
    struct Answer {
        features: Vec<Feature>,
    }
    #[derive(serde::Deserialize)]
    struct Feature {
        name: String,
        values: Vec<Box<serde_json::value::RawValue>>,
        statuses: Vec<String>,
    }
    let text = reply.text();
    let document: Document = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
    let online: Vec<_> = document
        .answer
        .features
        .into_iter()
        .map(|f| {
            (f.name, f.values.iter().map(|v| v.get().to_owned()).collect::<Vec<_>>(), f.statuses)
        })
        .collect();
    assert_eq!(online, trained("fraud", &users, &times, &prices));
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_requests_and_arrow() {
    let dir = tempfile::tempdir().unwrap();
    let server = TestServer::shop(dir.path()).await;
    server.push_orders(&ORDERS).await.ok();
    let one = json!({ "features": ["spend:total"], "entities": { "user_id": ["u2", "none"] } });
    let both = json!({ "requests": [one, { "service": "fraud", "entities": { "user_id": ["u1"], "price": [1] } }] });
    let document = server.post("/v1/features", &both).await.ok();
    assert_eq!(document["answers"][0]["features"][0]["values"], json!([5.0, -1.0]));
    assert_eq!(document["answers"][1]["features"].as_array().unwrap().len(), 4);

    let body = json!({ "requests": [one.clone(), one] }).to_string();
    let accept = [("Accept", "application/vnd.apache.arrow.stream")];
    let reply = server.send("POST", "/v1/features", &accept, body.as_bytes()).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let batches: Vec<RecordBatch> =
        StreamReader::try_new(reply.body.as_slice(), None).unwrap().map(Result::unwrap).collect();
    assert_eq!(batches.len(), 2);
    let batch = &batches[0];
    assert_eq!(batch.schema().metadata()["evaluator"], "test");
    let values = batch.column_by_name("spend:total@v1").unwrap().as_primitive::<Float64Type>();
    assert_eq!(values.values(), &[5.0, -1.0]);
    let statuses = batch.column_by_name("spend:total@v1__status").unwrap().as_string::<i32>();
    assert_eq!(statuses.value(1), "NOT_FOUND");
    let times = batch.column_by_name("spend:total@v1__event_timestamp").unwrap();
    let times = times.as_any().downcast_ref::<TimestampMicrosecondArray>().unwrap();
    assert!(times.is_valid(0) && times.is_null(1));

    for (body, part) in [
        (json!({ "features": ["spend"] }), "`entities`"),
        (
            json!({ "features": ["spend"], "entities": { "user_id": ["a"] }, "time": "soon" }),
            "time",
        ),
        (
            json!({ "features": ["spend"], "entities": { "user_id": ["a"] }, "times": ["2026-01-01", "2026-01-01"] }),
            "2 times for 1",
        ),
        (json!({ "features": ["spend"], "entities": {}, "requests": [] }), "stands alone"),
        (json!({ "requests": [{ "features": ["spend"] }] }), "request 0"),
        (json!({ "features": ["spend"], "rows": [{ "user_id": "a" }, { "user": "b" }] }), "row 1"),
        (json!({ "feature": ["spend"], "entities": {} }), "feature"),
    ] {
        let (status, why) = server.post("/v1/features", &body).await.refused();
        assert!((400..=422).contains(&status) && why.contains(part), "{part}: {why}");
    }
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_answer_comes_in_pieces() {
    let dir = tempfile::tempdir().unwrap();
    let server = TestServer::shop(dir.path()).await;
    server.push_orders(&ORDERS).await.ok();
    let users: Vec<String> = (0..999).map(|n| format!("u{n}")).collect();
    let body = json!({ "features": ["spend", "last_order@v1", "last_order@v2"], "entities": { "user_id": users } });
    let reply = server.post("/v1/features", &body).await;
    assert!(reply.head.to_ascii_lowercase().contains("chunked"), "{}", reply.head);
    let document = reply.ok();
    let features = document["answer"]["features"].as_array().unwrap();
    assert_eq!(features.len(), 6);
    for feature in features {
        for column in ["values", "statuses", "event_timestamps", "ages_seconds"] {
            assert_eq!(feature[column].as_array().unwrap().len(), 999, "{column}");
        }
    }
    assert_eq!(features[0]["values"][2], json!(5.0));
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_that_fails_ends_its_entity_alone() {
    let dir = tempfile::tempdir().unwrap();
    let server = TestServer::shop(dir.path()).await;
    server.push_orders(&ORDERS).await.ok();
    let body = json!({
        "features": ["strict:whole", "spend:n"],
        "entities": { "user_id": ["u1", "u1", "u2"], "price": [3, 1, 2] },
    });
    let document = server.post("/v1/features", &body).await.ok();
    let features = &document["answer"]["features"];
    assert_eq!(features[0]["values"], json!([1, null, 2]), "{features}");
    for feature in features.as_array().unwrap() {
        assert_eq!(feature["statuses"], json!(["PRESENT", "ERROR", "PRESENT"]), "{feature}");
    }
    assert_eq!(features[1]["values"], json!([3, null, 1]));
    let why = features[1]["errors"][0]["message"].as_str().unwrap();
    assert!(why.contains("strict"), "{why}");
    let performance: Value = server.get("/v1/performance").await.ok();
    assert!(performance["hit_rate"].as_f64().unwrap() > 0.0, "{performance}");
    let metrics = server.get("/metrics").await.text();
    for part in [
        "unskew_request_duration_seconds_count{route=\"/v1/features\"} 1",
        "unskew_values_total{view=\"spend@v1\",status=\"PRESENT\"} 2",
        "unskew_values_total{view=\"strict@v1\",status=\"ERROR\"} 1",
        "unskew_stage_duration_seconds_bucket{stage=\"retrieve\",le=\"+Inf\"} 1",
    ] {
        assert!(metrics.contains(part), "{part} is not in\n{metrics}");
    }
    server.end().await;
}
