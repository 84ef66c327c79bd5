//! Whatever a client sends, it is told what is wrong; and the server lives.

mod shared;

use std::time::Duration;

use serde_json::json;
use shared::{TestServer, Wanted};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_request_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let server = TestServer::shop(dir.path()).await;
    let ask = |features: serde_json::Value, entities: serde_json::Value| json!({ "features": features, "entities": entities });
    let key = json!({ "user_id": ["u1"] });
    let many: Vec<String> = (0..1001).map(|n| n.to_string()).collect();
    for (body, status, part) in [
        (ask(json!(["spend:totl"]), key.clone()), 404, "did you mean"),
        (ask(json!(["spent:total"]), key.clone()), 404, "did you mean"),
        (ask(json!(["last_order:cents@v3"]), key.clone()), 404, "v1, v2"),
        (ask(json!(["spend:total:x"]), key.clone()), 422, "spend:total:x"),
        (ask(json!([]), key.clone()), 422, "no features"),
        (json!({ "feature_service": "frod", "entities": key }), 404, "fraud"),
        (
            json!({ "feature_service": "fraud", "features": ["spend"], "entities": key }),
            422,
            "both",
        ),
        (ask(json!(["spend"]), json!({})), 422, "user_id"),
        (ask(json!(["spend"]), json!({ "user": ["u1"] })), 422, "given are: user"),
        (ask(json!(["check"]), key.clone()), 422, "price"),
        (ask(json!(["check"]), json!({ "user_id": ["u1"], "price": ["cheap"] })), 422, "row 0"),
        (
            ask(json!(["check"]), json!({ "user_id": ["u1"], "price": [null] })),
            422,
            "does not allow",
        ),
        (
            ask(json!(["check"]), json!({ "user_id": ["u1"], "price": [1, 2] })),
            422,
            "one for each row",
        ),
        (ask(json!(["spend"]), json!({ "user_id": [17] })), 422, "user_id"),
        (ask(json!(["spend"]), json!({ "user_id": many })), 413, "max_entities"),
        (ask(json!(["spend"]), json!({ "user_id": "u1" })), 400, "list"),
        (json!({ "features": ["spend"] }), 400, "entities"),
    ] {
        for path in ["/get-online-features"] {
            let (found, why) = server.post(path, &body).await.refused();
            assert_eq!(found, status, "{body}: {why}");
            assert!(why.contains(part), "{part}: {why}");
        }
    }
    for (text, part) in
        [("", "EOF"), ("{\"features\": [", "EOF"), ("[]", "body"), ("\u{0}", "body")]
    {
        let (status, why) = server.post_text("/get-online-features", text).await.refused();
        assert!(status == 400 && why.contains(part), "{text:?}: {why}");
    }
    let twice = "{\"features\":[\"spend\"],\"entities\":{\"user_id\":[\"a\"],\"user_id\":[\"b\"]}}";
    let (status, why) = server.post_text("/get-online-features", twice).await.refused();
    assert!(status == 400 && why.contains("twice"), "{why}");
    let deep = "[".repeat(100_000);
    assert_eq!(server.post_text("/get-online-features", &deep).await.refused().0, 400);

    // As Feast's client reads it: JSON in a string, with the error's class.
    let unknown = json!({ "feature_service": "none", "entities": key });
    let told = server.post("/get-online-features", &unknown).await;
    let inner: serde_json::Value = serde_json::from_str(told.json().as_str().unwrap()).unwrap();
    assert_eq!(inner["class"], "FeatureServiceNotFoundException");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_push_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let server = TestServer::shop(dir.path()).await;
    let push = |source: &str, df: serde_json::Value| json!({ "push_source_name": source, "df": df, "to": "online" });
    for (body, status, part) in [
        (push("ordrs", json!({})), 404, "PushSourceNotFoundException"),
        (push("checkout", json!({})), 404, "PushSourceNotFoundException"),
        (push("orders", json!({ "user_id": ["u1"], "amount": [1.0] })), 422, "ts"),
        (
            push("orders", json!({ "user_id": ["u1"], "amount": ["x"], "ts": ["2026-01-01"] })),
            422,
            "row 0",
        ),
        (
            push("orders", json!({ "user_id": ["u1"], "amount": [1, 2], "ts": ["2026-01-01"] })),
            422,
            "one for each row",
        ),
    ] {
        for mode in ["", "?mode=log"] {
            let (found, why) = server.post(&format!("/push{mode}"), &body).await.refused();
            assert!(found == status && why.contains(part), "{part}: {found} {why}");
        }
    }
    let wrong_to = json!({ "push_source_name": "orders", "df": {}, "to": "nowhere" });
    assert_eq!(server.post("/push", &wrong_to).await.refused().0, 400);
    let (status, why) = server.post("/push?mode=later", &push("orders", json!({}))).await.refused();
    assert!(status == 422 && why.contains("mode=log"), "{why}");
    // A row without a time is left out, and said to be.
    let body = push(
        "orders",
        json!({ "user_id": ["u1", "u1"], "amount": [1, 2], "ts": ["2026-01-01T11:00:00Z", null] }),
    );
    let report = server.post("/push", &body).await.ok();
    assert_eq!(
        (report["accepted"].clone(), report["dead_letters"][0]["row"].clone()),
        (json!(1), json!(1)),
        "{report}"
    );
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_and_routes_have_bounds() {
    let dir = tempfile::tempdir().unwrap();
    let server = TestServer::shop(dir.path()).await;
    let (status, why) = server.post_text("/push", &"x".repeat((1 << 20) + 1)).await.refused();
    assert!(status == 413 && why.contains("max_body"), "{why}");
    // Announced, it is refused before it is sent.
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = "POST /push HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Length: 99999999999\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(shared::PATIENCE, stream.read_to_end(&mut answer)).await.unwrap().unwrap();
    assert_eq!(shared::Reply::read(&answer).status, 413);
    let (status, why) = server.get("/nowhere").await.refused();
    assert!(status == 404 && why.contains("/docs"), "{why}");
    assert_eq!(server.get("/push").await.refused().0, 405);
    assert_eq!(server.get("/docs").await.status, 200);
    assert!(server.get("/openapi.json").await.ok()["paths"]["/v1/features"].is_object());
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let mut wanted = Wanted::shop(dir.path());
    wanted.settings.token = Some("secret".to_owned());
    let server = TestServer::start(dir.path(), wanted).await;
    let body = br#"{"features":["spend"],"entities":{"user_id":["u1"]}}"#;
    for (headers, status) in [
        (vec![], 401),
        (vec![("Authorization", "Bearer wrong!")], 401),
        (vec![("Authorization", "Bearer secre")], 401),
        (vec![("Authorization", "secret")], 401),
        (vec![("Authorization", "Bearer secret")], 200),
        (vec![("authorization", "bearer secret")], 200),
    ] {
        let reply = server.send("POST", "/get-online-features", &headers, body).await;
        assert_eq!(reply.status, status, "{headers:?}: {}", reply.text());
    }
    assert_eq!(server.get("/metrics").await.status, 401);
    assert_eq!(server.get("/livez").await.status, 200);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_client_is_let_go() {
    let dir = tempfile::tempdir().unwrap();
    let mut wanted = Wanted::shop(dir.path());
    wanted.settings.idle_timeout = Duration::from_millis(200);
    let server = TestServer::start(dir.path(), wanted).await;
    // Half a head, half a body, and nothing at all.
    for begun in
        ["POST /push HT", "POST /push HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\n{", ""]
    {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(begun.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let read = tokio::time::timeout(shared::PATIENCE, stream.read_to_end(&mut answer)).await;
        assert!(read.is_ok(), "{begun:?} is waited for without end");
    }
    assert_eq!(server.get("/livez").await.status, 200);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_idle_connections_are_held() {
    let dir = tempfile::tempdir().unwrap();
    let server = TestServer::shop(dir.path()).await;
    // Both ends are in this process; as many as its limit of files allows.
    let mut idle = Vec::new();
    for _ in 0..10_000 {
        match TcpStream::connect(server.address).await {
            Ok(stream) => idle.push(stream),
            Err(_) => break,
        }
    }
    assert!(idle.len() > 300, "{}", idle.len());
    // Room for one more where the limit was met.
    idle.truncate(idle.len() - 16.min(idle.len()));
    tokio::time::sleep(Duration::from_millis(50)).await;
    let body = json!({ "features": ["spend"], "entities": { "user_id": ["u1"] } });
    server.post("/get-online-features", &body).await.ok();
    drop(idle);
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn others_cannot_reach_a_server_without_a_token() {
    let dir = tempfile::tempdir().unwrap();
    let mut wanted = Wanted::shop(dir.path());
    wanted.settings.listen = "0.0.0.0:0".parse().unwrap();
    let (_, ends) = tokio::sync::watch::channel(false);
    let store = unskew_store::OnlineStoreSettings::Embedded(unskew_store::EmbeddedSettings::new(
        dir.path().join("o"),
    ));
    let serving = unskew_online::Serving {
        settings: wanted.settings,
        project: unskew_online::OnlineProject {
            plan: shared::plan_of(shared::SHOP),
            modules: wanted.modules,
            digests: Default::default(),
            evaluator: String::new(),
        },
        store: unskew_store::open_online_store(&store).await.unwrap(),
        registry: dir.path().join("r.sqlite"),
        materializer: None,
        archive: None,
        served_log: None,
        clock: std::sync::Arc::new(|| 0),
        process: 0,
    };
    let error = unskew_online::serve(serving, ends, |_| ()).await.unwrap_err().to_string();
    assert!(error.contains("serve.token"), "{error}");
}
