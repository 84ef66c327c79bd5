//! The simple REST: register, write, serve.

mod shared;

use serde_json::json;
use shared::TestServer;

#[tokio::test(flavor = "multi_thread")]
async fn features_are_registered_written_and_served() {
    let dir = tempfile::tempdir().unwrap();
    let server = TestServer::shop(dir.path()).await;
    let register = |name: &str, value_type: &str, version: u32, tags: &[&str]| json!({ "name": name, "description": "d", "valueType": value_type, "entity": "user", "version": version, "tags": tags });
    let reply = server.post("/features/register", &register("age", "int", 1, &["a", "b"])).await;
    assert_eq!(reply.status, 201, "{}", reply.text());
    let age = reply.json();
    assert_eq!(age["id"], "user.age.v1");
    assert_eq!(
        (&age["createdAt"], &age["updatedAt"]),
        (&json!("2026-01-01T12:00:00.000000Z"), &json!("2026-01-01T12:00:00.000000Z"))
    );
    for (name, kind, version, tags) in
        [("age", "float64", 2, &["a"][..]), ("tags", "list<utf8>", 1, &["b"])]
    {
        assert_eq!(
            server.post("/features/register", &register(name, kind, version, tags)).await.status,
            201
        );
    }
    let listed = server.get("/features?entity=user&tags=a,b").await.ok();
    assert_eq!(listed["features"].as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(server.get("/features?entity=none").await.ok()["features"], json!([]));

    let one = json!({ "featureId": "user.age.v1", "entityId": "u1", "value": 41, "timestamp": "2026-01-01T11:00:00Z" });
    assert_eq!(
        server.post("/features/write", &one).await.ok(),
        json!({ "success": true, "count": 1 })
    );
    let many = json!({ "values": [
        { "featureId": "user.age.v1", "entityId": "u1", "value": 42, "timestamp": "2026-01-01T11:30:00Z" },
        { "featureId": "user.age.v1", "entityId": "u1", "value": 7, "timestamp": "2026-01-01T10:00:00Z" },
        { "featureId": "user.age.v2", "entityId": "u1", "value": 42.5 },
        { "featureId": "user.tags.v1", "entityId": 5, "value": ["x", "y"] },
    ]});
    assert_eq!(
        server.post("/features/write-batch", &many).await.ok(),
        json!({ "success": true, "count": 4 })
    );
    let ask = json!({ "entityIds": ["u1", 5], "features": ["user.age.v1", "user.age.v2", "user.age", "user.tags.v1"] });
    let served = server.post("/features/serve", &ask).await.ok();
    assert_eq!(
        served["results"][0],
        json!({
            "entityId": "u1",
            "features": { "user.age.v1": 42, "user.age.v2": 42.5, "user.age": 42.5, "user.tags.v1": null },
            "statuses": { "user.age.v1": "PRESENT", "user.age.v2": "PRESENT", "user.age": "PRESENT", "user.tags.v1": "NOT_FOUND" },
            "timestamp": "2026-01-01T12:00:00.000000Z",
        }),
        "{served}"
    );
    assert_eq!(served["results"][1]["features"]["user.tags.v1"], json!(["x", "y"]));

    for (path, body, status, part) in [
        ("/features/register", register("a b", "int", 1, &[]), 422, "name"),
        ("/features/register", register("x", "money", 1, &[]), 422, "valueType"),
        ("/features/register", register("x", "int", 0, &[]), 422, "version"),
        ("/features/register", register("age", "utf8", 1, &[]), 409, "another version"),
        ("/features/register", json!({ "name": "x" }), 400, "valueType"),
        (
            "/features/write",
            json!({ "featureId": "user.ag.v1", "entityId": "u", "value": 1 }),
            404,
            "did you mean",
        ),
        (
            "/features/write",
            json!({ "featureId": "user.age.v1", "entityId": "u", "value": "old" }),
            422,
            "user.age.v1",
        ),
        (
            "/features/write",
            json!({ "featureId": "user.age.v1", "entityId": true, "value": 1 }),
            422,
            "entityId",
        ),
        (
            "/features/serve",
            json!({ "entityIds": ["u1"], "features": ["nothing"] }),
            404,
            "nothing",
        ),
    ] {
        let (found, why) = server.post(path, &body).await.refused();
        assert!(found == status && why.contains(part), "{part}: {found} {why}");
    }
    assert_eq!(server.get("/features?tag=a").await.status, 422);
    server.end().await;

    // Another process finds them.
    let server = TestServer::shop(dir.path()).await;
    let served = server.post("/features/serve", &ask).await.ok();
    assert_eq!(served["results"][0]["features"]["user.age.v1"], json!(42));
    server.end().await;
}
