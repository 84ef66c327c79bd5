//! What was served is kept, and comes out the same when it is computed again;
//! where it does not, the difference is explained.

mod shared;

use std::sync::{Arc, Mutex};

use arrow::array::RecordBatch;
use async_trait::async_trait;
use serde_json::json;
use shared::{TestServer, Wanted};
use unskew_online::{Engine, OnlineError, OnlineProject, ServedSink, served_rows};

#[derive(Default)]
struct Kept(Mutex<Vec<RecordBatch>>);

#[async_trait]
impl ServedSink for Kept {
    async fn append(&self, rows: RecordBatch) -> Result<(), OnlineError> {
        self.0.lock().unwrap().push(rows);
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn served_answers_are_computed_again() {
    let dir = tempfile::tempdir().unwrap();
    let kept = Arc::new(Kept::default());
    let mut wanted = Wanted::shop(dir.path());
    wanted.served_log = Some((1.0, Arc::clone(&kept) as Arc<dyn ServedSink>));
    let server = TestServer::start(dir.path(), wanted).await;
    server
        .push_orders(&[("u1", 0.1, "2026-01-01T10:00:00Z"), ("u2", 0.2, "2026-01-01T11:00:00Z")])
        .await
        .ok();
    let body = json!({ "service": "fraud", "entities": { "user_id": ["u1", "u2", "u3"] }, "request": { "price": [1, 2, 3] } });
    server.post("/v1/features", &body).await.ok();
    let store = Arc::clone(&server.store);
    server.end().await;

    let batches = kept.0.lock().unwrap().clone();
    let answers: Vec<_> = batches.iter().flat_map(|batch| served_rows(batch).unwrap()).collect();
    assert_eq!(answers.len(), 3);
    assert_eq!(answers[0].service, "fraud");
    let project = |evaluator: &str| OnlineProject {
        plan: shared::plan_of(shared::SHOP),
        modules: Arc::new(unskew_executor::NoModules),
        digests: Default::default(),
        evaluator: evaluator.to_owned(),
    };
    let engine = Engine::new(project("test"), Arc::clone(&store)).unwrap();
    for answer in &answers {
        assert_eq!(engine.replay(answer).await.unwrap(), []);
    }
    // A row that came after the answers, with a time before them.
    let server = TestServer::shop(dir.path()).await;
    server.push_orders(&[("u1", 5.0, "2026-01-01T09:00:00Z")]).await.ok();
    server.end().await;
    let found = engine.replay(&answers[0]).await.unwrap();
    let features: Vec<&str> = found.iter().map(|difference| difference.feature.as_str()).collect();
    assert_eq!(features, ["check:ratio@v1", "spend:n@v1", "spend:total@v1"]);
    assert!(found[0].why.contains("other rows"), "{found:?}");
    assert_eq!(engine.replay(&answers[1]).await.unwrap(), []);
    let other = Engine::new(project("newer"), store).unwrap();
    let found = other.replay(&answers[0]).await.unwrap();
    assert!(found[0].why.contains("the evaluator was test, and is newer"), "{found:?}");
}
