//! A store that is slow or down, modules that fail, are slow or never end:
//! what can be answered is, within the deadline, and says what is missing.

mod shared;

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, AsArray, Float64Array, RecordBatch};
use arrow::datatypes::Float64Type;
use async_trait::async_trait;
use serde_json::json;
use shared::{PATIENCE, TestServer, Wanted};
use unskew_definition::{DataType, Field, Name, TransformSignature};
use unskew_executor::{AggregateKernel, EvaluationError, ModuleCatalog, TransformKernel};
use unskew_host::{CallError, Outcome, RowError, RowStatus};
use unskew_store::{
    Answer, Compaction, Health, Lookup, OnlineStore, Record, StoreError, TableId, TableState, Trim,
    Trimmed, WriteMode, Written,
};

/// A store whose reads can be made to stall or to fail.
#[derive(Debug)]
struct Faulty {
    inner: Arc<dyn OnlineStore>,
    /// 0: well, 1: stalls, 2: is down.
    fault: Arc<AtomicU8>,
}

impl Faulty {
    async fn pass(&self) -> Result<(), StoreError> {
        match self.fault.load(Ordering::SeqCst) {
            0 => Ok(()),
            1 => std::future::pending().await,
            _ => Err(StoreError::Unreachable {
                place: "redis://here".to_owned(),
                why: "connection refused".to_owned(),
            }),
        }
    }
}

#[async_trait]
impl OnlineStore for Faulty {
    fn place(&self) -> &str {
        self.inner.place()
    }
    async fn tables(&self, tables: &[TableId]) -> Result<Vec<TableState>, StoreError> {
        self.pass().await?;
        self.inner.tables(tables).await
    }
    async fn read(&self, lookups: &[Lookup<'_>]) -> Result<Answer, StoreError> {
        self.pass().await?;
        self.inner.read(lookups).await
    }
    async fn write(
        &self,
        table: &TableId,
        generation: u64,
        records: &[Record],
        mode: WriteMode,
    ) -> Result<Written, StoreError> {
        self.pass().await?;
        self.inner.write(table, generation, records, mode).await
    }
    async fn compact(
        &self,
        table: &TableId,
        generation: u64,
        entity: &[u8],
        compaction: &Compaction,
    ) -> Result<bool, StoreError> {
        self.inner.compact(table, generation, entity, compaction).await
    }
    async fn begin_generation(&self, table: &TableId) -> Result<u64, StoreError> {
        self.inner.begin_generation(table).await
    }
    async fn swap_generation(
        &self,
        table: &TableId,
        generation: u64,
        covered_until: i64,
        written_at: i64,
    ) -> Result<(), StoreError> {
        self.inner.swap_generation(table, generation, covered_until, written_at).await
    }
    async fn drop_generation(&self, table: &TableId, generation: u64) -> Result<u64, StoreError> {
        self.inner.drop_generation(table, generation).await
    }
    async fn advance(
        &self,
        table: &TableId,
        generation: u64,
        covered_until: i64,
        written_at: i64,
    ) -> Result<(), StoreError> {
        self.inner.advance(table, generation, covered_until, written_at).await
    }
    async fn trim(
        &self,
        table: &TableId,
        generation: u64,
        trim: &Trim,
    ) -> Result<Trimmed, StoreError> {
        self.inner.trim(table, generation, trim).await
    }
    async fn check(&self) -> Result<Health, StoreError> {
        self.pass().await?;
        self.inner.check().await
    }
}

async fn faulty(dir: &std::path::Path, deadline: Duration) -> (TestServer, Arc<AtomicU8>) {
    let fault = Arc::new(AtomicU8::new(0));
    let mut wanted = Wanted::shop(dir);
    wanted.settings.deadline = deadline;
    let of_store = Arc::clone(&fault);
    wanted.around = Box::new(move |inner| Arc::new(Faulty { inner, fault: of_store }));
    (TestServer::start(dir, wanted).await, fault)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_stalls_or_is_down_leaves_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let (server, fault) = faulty(dir.path(), Duration::from_millis(300)).await;
    server.push_orders(&[("u1", 1.0, "2026-01-01T11:00:00Z")]).await.ok();
    let body = json!({
        "features": ["spend:total", "check:ratio", "strict:whole"],
        "entities": { "user_id": ["u1"], "price": [3.0] },
    });
    for (state, part) in [(1, "within the request's deadline"), (2, "connection refused")] {
        fault.store(state, Ordering::SeqCst);
        let document = server.post("/v1/features", &body).await.ok();
        let answer = &document["answer"];
        assert_eq!(answer["partial"], true, "{answer}");
        let why = answer["missing"][0].as_str().unwrap();
        assert!(why.contains(part), "{why}");
        let statuses: Vec<_> =
            (0..3).map(|at| answer["features"][at]["statuses"][0].clone()).collect();
        // What needs no store is whole.
        assert_eq!(statuses, ["ERROR", "ERROR", "PRESENT"], "{answer}");
        let feast = server.post("/get-online-features", &body).await.ok();
        assert_eq!(shared::column(&feast, "ratio").1, json!(["NULL_VALUE"]));
        assert_eq!(shared::column(&feast, "whole").1, json!(["PRESENT"]));
        assert_eq!(server.get("/readyz").await.status, 503);
        let health = server.get("/health").await;
        assert_eq!(
            (health.status, health.json()["store"]["status"].clone()),
            (503, json!("failed"))
        );
    }
    let refused = server.push_orders(&[("u1", 2.0, "2026-01-01T11:01:00Z")]).await;
    assert_eq!(refused.status, 503);
    // What is logged meanwhile is there once the store is.
    let logged = shared::orders_body(&[("u1", 4.0, "2026-01-01T11:02:00Z")]);
    server.post("/push?mode=log", &logged).await.ok();
    fault.store(0, Ordering::SeqCst);
    for attempt in 0.. {
        let document = server.post("/v1/features", &body).await.ok();
        let total = &document["answer"]["features"][0]["values"][0];
        if *total == json!(5.0) {
            break;
        }
        assert!(attempt < 3000, "{document}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    server.end().await;
}

/// Native transforms in the place of modules.
struct Kernels;

struct Kernel {
    signature: TransformSignature,
    compute: fn(f64) -> Result<f64, String>,
}

impl TransformKernel for Kernel {
    fn signature(&self) -> &TransformSignature {
        &self.signature
    }
    fn transform(&self, arguments: &RecordBatch, _: Option<u64>) -> Result<Outcome, CallError> {
        let inputs = arguments.column(0).as_primitive::<Float64Type>();
        let (mut values, mut errors) = (Vec::new(), Vec::new());
        for row in 0..inputs.len() {
            match (self.compute)(inputs.value(row)) {
                Ok(value) => values.push(Some(value)),
                Err(message) => {
                    values.push(None);
                    errors.push(RowError { row, status: RowStatus::Trapped, message });
                }
            }
        }
        let column: ArrayRef = Arc::new(Float64Array::from(values));
        Ok(Outcome { columns: vec![column], errors, metrics: Default::default() })
    }
}

impl ModuleCatalog for Kernels {
    fn transform(
        &self,
        _: &Name,
        transform: &Name,
    ) -> Result<Arc<dyn TransformKernel>, EvaluationError> {
        let field = |name: &str, nullable| Field {
            name: Name::new(name).unwrap(),
            data_type: DataType::Float64,
            nullable,
        };
        let compute: fn(f64) -> Result<f64, String> = match transform.as_str() {
            "half" => |x| if x < 0.0 { Err("negative".to_owned()) } else { Ok(x / 2.0) },
            // Until its fuel ends, so to speak.
            _ => |x| {
                let end = Instant::now() + Duration::from_millis(400);
                while Instant::now() < end {
                    std::hint::spin_loop();
                }
                Ok(x)
            },
        };
        let name = transform.clone();
        let (inputs, outputs) = (vec![field("x", false)], vec![field(transform.as_str(), true)]);
        Ok(Arc::new(Kernel {
            signature: TransformSignature { name, description: String::new(), inputs, outputs },
            compute,
        }))
    }
    fn aggregate(
        &self,
        module: &Name,
        _: &Name,
    ) -> Result<Arc<dyn AggregateKernel>, EvaluationError> {
        Err(EvaluationError::Module {
            module: module.to_string(),
            reason: "no aggregates".to_owned(),
        })
    }
}

const MODULES: &str = r#"
{"manifest_version": "1.1", "name": "m", "language": "rust", "sdk": "test", "transforms": [
  {"name": "half", "inputs": [{"name": "x", "type": "float64"}], "outputs": [{"name": "half", "type": "float64", "nullable": true}]},
  {"name": "spin", "inputs": [{"name": "x", "type": "float64"}], "outputs": [{"name": "spin", "type": "float64", "nullable": true}]}],
 "sources": [{"name": "r", "kind": "request", "fields": [{"name": "x", "type": "float64"}]}],
 "on_demand_feature_views": [
  {"name": "healthy", "inputs": {"x": "r:x"}, "transforms": [{"transform": "half"}]},
  {"name": "sick", "inputs": {"x": "r:x"}, "transforms": [{"transform": "spin"}]},
  {"name": "after", "inputs": {"x": "sick:spin"}, "transforms": [{"transform": "half"}]}]}
"#;

async fn with_modules(dir: &std::path::Path, deadline: Duration) -> TestServer {
    let mut reader = unskew_definition::DefinitionReader::new();
    reader.read_manifest(&Name::new("m").unwrap(), "", MODULES.as_bytes());
    let plan = unskew_plan::FeaturePlan::new(&reader.finish(None));
    let plan = plan.unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let mut wanted = Wanted::shop(dir);
    wanted.modules = Arc::new(Kernels);
    wanted.settings.deadline = deadline;
    TestServer::start_plan(dir, wanted, plan).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_fails_on_one_entity_leaves_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let server = with_modules(dir.path(), PATIENCE).await;
    let body = json!({ "features": ["healthy:half"], "entities": { "x": [1, -1, 3] } });
    let document = server.post("/v1/features", &body).await.ok();
    let feature = &document["answer"]["features"][0];
    assert_eq!(feature["values"], json!([0.5, null, 1.5]));
    assert_eq!(feature["statuses"], json!(["PRESENT", "ERROR", "PRESENT"]));
    assert!(feature["errors"][0]["message"].as_str().unwrap().contains("negative"), "{feature}");
    server.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_without_end_costs_its_own_features_alone() {
    let dir = tempfile::tempdir().unwrap();
    let server = with_modules(dir.path(), Duration::from_millis(250)).await;
    let sick = json!({ "features": ["sick:spin"], "entities": { "x": [1] } });
    // Nobody knows yet that it is slow.
    server.post("/v1/features", &sick).await.ok();
    let body = json!({
        "features": ["healthy:half", "sick:spin", "after:half"],
        "entities": { "x": [1, 2] },
    });
    let document = server.post("/v1/features", &body).await.ok();
    let answer = &document["answer"];
    let statuses: Vec<_> = (0..3).map(|at| answer["features"][at]["statuses"][0].clone()).collect();
    assert_eq!(statuses, ["PRESENT", "ERROR", "ERROR"], "{answer}");
    assert!(answer["missing"][0].as_str().unwrap().contains("deadline"), "{answer}");
    // While it runs on, others are answered.
    let healthy = json!({ "features": ["healthy:half"], "entities": { "x": [1] } });
    for _ in 0..20 {
        let document = server.post("/v1/features", &healthy).await.ok();
        assert_eq!(document["answer"]["features"][0]["values"], json!([0.5]));
    }
    server.end().await;
}
