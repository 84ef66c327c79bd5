//! Pushed rows and Feast's routes: what is answered, in its shapes.

mod shared;

use serde_json::json;
use shared::{NOON, TestServer, column};
use std::sync::atomic::Ordering;

const ORDERS: [(&str, f64, &str); 4] = [
    ("u1", 0.1, "2026-01-01T10:00:00Z"),
    ("u1", 0.2, "2026-01-01T13:00:00+02:00"),
    ("u2", 5.0, "2026-01-01T09:00:00"),
    ("u1", 0.5, "2025-12-30T00:00:00Z"),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_answered_as_feast_does() {
    let dir = tempfile::tempdir().unwrap();
    let server = TestServer::shop(dir.path()).await;
    let report = server.push_orders(&ORDERS).await.ok();
    assert_eq!(report["accepted"], 4, "{report}");
    assert_eq!(report["dead_letters"], json!([]), "{report}");

    let body = json!({
        "feature_service": "fraud",
        "entities": { "user_id": ["u1", "u2", "nobody", null], "price": [3, 10, 2, 2] },
    });
    let answer = server.post("/get-online-features", &body).await.ok();
    let names = &answer["metadata"]["feature_names"];
    assert_eq!(*names, json!(["user_id", "total", "n", "cents", "ratio"]));
    let total = 0.1_f64 + 0.2;
    let present = |n| vec!["PRESENT"; n];
    assert_eq!(column(&answer, "user_id").0, json!(["u1", "u2", "nobody", null]));
    // Exact sums round once; a default is PRESENT in these shapes.
    assert_eq!(column(&answer, "total"), (json!([total, 5.0, -1.0, -1.0]), json!(present(4))));
    let (n, statuses) = column(&answer, "n");
    assert_eq!(n, json!([2, 1, null, null]));
    assert_eq!(statuses, json!(["PRESENT", "PRESENT", "NOT_FOUND", "NOT_FOUND"]));
    // The newest version; u2's order is older than nothing forbids.
    assert_eq!(column(&answer, "cents").0, json!([200, 5000, null, null]));
    let (ratio, _) = column(&answer, "ratio");
    assert_eq!(ratio, json!([3.0 / total, 2.0, -2.0, -2.0]));
    let times = &answer["results"][1]["event_timestamps"];
    assert_eq!(times[0], "2026-01-01T11:00:00.000000Z");
    assert_eq!(times[2], "1970-01-01T00:00:00Z");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_stand_side_by_side_and_old_values_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let server = TestServer::shop(dir.path()).await;
    server.push_orders(&ORDERS).await.ok();
    let features = ["last_order:cents@v1", "last_order:cents@v2", "last_order@v1:amount"];
    let body = json!({
        "features": features,
        "entities": { "user_id": ["u1", "u2"] },
        "full_feature_names": true,
        "include_feature_view_version_metadata": true,
    });
    let answer = server.post("/get-online-features", &body).await.ok();
    let (values, statuses) = column(&answer, "last_order@v1__cents");
    assert_eq!(values, json!([20, null]));
    assert_eq!(statuses, json!(["PRESENT", "OUTSIDE_MAX_AGE"]));
    assert_eq!(column(&answer, "last_order@v2__cents").0, json!([200, 5000]));
    assert_eq!(column(&answer, "last_order@v1__amount").0, json!([0.2, null]));
    let metadata = &answer["metadata"]["feature_view_metadata"];
    assert_eq!(metadata[1], json!({ "name": "last_order", "version": 2 }));

    let colliding = json!({ "features": &features[..2], "entities": { "user_id": ["u1"] } });
    let (status, why) = server.post("/get-online-features", &colliding).await.refused();
    assert!(status == 422 && why.contains("full_feature_names"), "{why}");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_visible_yet_is_not_seen() {
    let dir = tempfile::tempdir().unwrap();
    let server = TestServer::shop(dir.path()).await;
    server.push_orders(&ORDERS).await.ok();
    server.push_orders(&[("u1", 9.0, "2026-01-01T12:00:01Z")]).await.ok();
    let body = json!({ "features": ["last_order:amount"], "entities": { "user_id": ["u1"] } });
    let ask =
        || async { column(&server.post("/get-online-features", &body).await.ok(), "amount").0 };
    assert_eq!(ask().await, json!([0.2]));
    server.now.store(NOON + 1_000_000, Ordering::SeqCst);
    assert_eq!(ask().await, json!([9.0]));
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_may_be_repeated() {
    let dir = tempfile::tempdir().unwrap();
    let server = TestServer::shop(dir.path()).await;
    let first = server.push_orders(&ORDERS).await.ok();
    assert!(first["written"].as_u64().unwrap() > 0, "{first}");
    let again = server.push_orders(&ORDERS).await.ok();
    assert_eq!((again["written"].clone(), again["older"].clone()), (json!(0), json!(0)), "{again}");
    let body = json!({ "features": ["spend:n"], "entities": { "user_id": ["u1"] } });
    let answer = server.post("/get-online-features", &body).await.ok();
    assert_eq!(column(&answer, "n").0, json!([2]));
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logged_push_is_applied_soon_and_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let server = TestServer::shop(dir.path()).await;
    for (amount, minute) in [(1.0, 10), (2.0, 11), (3.0, 12)] {
        let time = format!("2026-01-01T11:{minute}:00Z");
        let body = shared::orders_body(&[("u1", amount, &time)]);
        let report = server.post("/push?mode=log", &body).await.ok();
        assert_eq!(report["logged"], true, "{report}");
    }
    let body =
        json!({ "features": ["spend", "last_order:amount"], "entities": { "user_id": ["u1"] } });
    for attempt in 0.. {
        let answer = server.post("/get-online-features", &body).await.ok();
        let found = (column(&answer, "n").0, column(&answer, "amount").0);
        if found == (json!([3]), json!([3.0])) {
            break;
        }
        assert!(attempt < 3000, "{answer}");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn values_that_were_computed_elsewhere_are_written() {
    let dir = tempfile::tempdir().unwrap();
    let server = TestServer::shop(dir.path()).await;
    let write = |amount: f64, time: &str| {
        json!({
            "feature_view_name": "last_order",
            "df": { "user_id": ["u7"], "amount": [amount], "cents": [7], "event_timestamp": [time], "created": [null] },
        })
    };
    server.post("/write-to-online-store", &write(1.5, "2026-01-01T11:00:00")).await.ok();
    let body = json!({ "features": ["last_order:amount", "last_order:cents"], "entities": { "user_id": ["u7"] } });
    let ask = || async { server.post("/get-online-features", &body).await.ok() };
    assert_eq!(column(&ask().await, "amount").0, json!([1.5]));
    assert_eq!(column(&ask().await, "cents").0, json!([7]));
    // An older value does not win, one of the same time that is written later does.
    server.post("/write-to-online-store", &write(1.0, "2026-01-01T10:00:00")).await.ok();
    assert_eq!(column(&ask().await, "amount").0, json!([1.5]));
    server.now.fetch_add(1, Ordering::SeqCst);
    server.post("/write-to-online-store", &write(2.5, "2026-01-01T11:00:00")).await.ok();
    assert_eq!(column(&ask().await, "amount").0, json!([2.5]));

    for (view, df, part) in [
        (
            "spend",
            json!({ "user_id": ["a"], "total": [1.0], "event_timestamp": ["2026-01-01"] }),
            "aggregates rows",
        ),
        (
            "last_order",
            json!({ "user_id": ["a"], "amount": ["x"], "event_timestamp": ["2026-01-01"] }),
            "amount",
        ),
        (
            "last_order",
            json!({ "user_id": [null], "amount": [1.0], "event_timestamp": ["2026-01-01"] }),
            "null",
        ),
        ("last_order", json!({ "amount": [1.0], "event_timestamp": ["2026-01-01"] }), "user_id"),
        ("last_order", json!({ "user_id": ["a"], "amount": [1.0] }), "event_timestamp"),
        (
            "last_order",
            json!({ "user_id": ["a"], "amont": [1.0], "event_timestamp": ["2026-01-01"] }),
            "did you mean",
        ),
        ("check", json!({ "user_id": ["a"], "ratio": [1.0] }), "computed when it is asked for"),
    ] {
        let body = json!({ "feature_view_name": view, "df": df });
        let (status, why) = server.post("/write-to-online-store", &body).await.refused();
        assert!(status == 422 && why.contains(part), "{part}: {status} {why}");
    }
    server.end().await;
}
