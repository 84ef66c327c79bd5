//! A server in this process, over the embedded store in a folder of its own,
//! and a small client.

#![allow(dead_code, reason = "each test file uses a part")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use unskew_definition::DefinitionReader;
use unskew_executor::{ModuleCatalog, NoModules};
use unskew_online::{OnlineProject, ServeError, ServeSettings, ServedSink, Serving, serve};
use unskew_plan::FeaturePlan;
use unskew_store::{EmbeddedSettings, OnlineStore, OnlineStoreSettings, open_online_store};

/// Noon of the first day of 2026.
pub(crate) const NOON: i64 = 1_767_268_800_000_000;
/// No test waits longer for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const SHOP: &str = r#"
entities:
  - {name: user, join_keys: [{name: user_id, type: utf8}]}
sources:
  - name: orders
    push: true
    fields:
      - {name: user_id, type: utf8, nullable: true}
      - {name: amount, type: float64, nullable: true}
      - {name: ts, type: timestamp, nullable: true}
    event_timestamp: ts
  - name: checkout
    kind: request
    fields: [{name: price, type: float64, nullable: false}, {name: note, type: utf8, nullable: true}]
feature_views:
  - name: spend
    entities: [user]
    source: orders
    aggregates:
      - {name: total, function: sum, column: amount, over: {size: 1d, hop: 1h}}
      - {name: n, function: count, over: {size: 1d, hop: 1h}}
    features: [{name: total, default: -1.0}, {name: n}]
  - name: last_order
    version: 1
    entities: [user]
    source: orders
    transforms: [{sql: {cents: "cast(amount * 100 as bigint)"}}]
    features: [{name: amount}, {name: cents}]
    ttl: 2h
  - name: last_order
    version: 2
    entities: [user]
    source: orders
    transforms: [{sql: {cents: "cast(amount * 1000 as bigint)"}}]
    features: [{name: amount}, {name: cents}]
on_demand_feature_views:
  - name: check
    inputs: {price: "checkout:price", total: "spend:total", amount: "last_order:amount"}
    transforms: [{sql: {ratio: price / total, product: price * amount}}]
  - name: strict
    inputs: {price: "checkout:price"}
    transforms: [{sql: {whole: "cast(price as bigint) / cast(price - 1 as bigint)"}}]
    on_error: fail
feature_services:
  - {name: fraud, features: [spend, "last_order:cents", "check:ratio"]}
"#;

/// What definitions come to.
pub(crate) fn plan_of(yaml: &str) -> FeaturePlan {
    let mut reader = DefinitionReader::new();
    reader.read_document("test.yaml", yaml.as_bytes());
    let definition = reader.finish(None);
    FeaturePlan::new(&definition).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

/// How a test wants its server.
pub(crate) struct Wanted {
    pub(crate) yaml: String,
    pub(crate) modules: Arc<dyn ModuleCatalog + Send + Sync>,
    pub(crate) settings: ServeSettings,
    /// Which share of entities has its answers kept, and where.
    pub(crate) served_log: Option<(f64, Arc<dyn ServedSink>)>,
    /// Put around the store.
    pub(crate) around: Box<dyn FnOnce(Arc<dyn OnlineStore>) -> Arc<dyn OnlineStore>>,
}

impl Wanted {
    pub(crate) fn shop(dir: &Path) -> Self {
        Self {
            yaml: SHOP.to_owned(),
            modules: Arc::new(NoModules),
            settings: ServeSettings {
                listen: "127.0.0.1:0".parse().unwrap(),
                token: None,
                // Far beyond what any answer takes, unless a test is about it.
                deadline: PATIENCE,
                max_body_bytes: 1 << 20,
                max_entities: 1000,
                max_connections: 20_000,
                idle_timeout: PATIENCE,
                shutdown_timeout: Duration::from_secs(10),
                threads: Some(2),
                tls: None,
                push_log: dir.join("push"),
                alerts: Vec::new(),
            },
            served_log: None,
            around: Box::new(|store| store),
        }
    }
}

/// A server that runs until it is dropped or ended.
pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    /// The time of asking, in microseconds.
    pub(crate) now: Arc<AtomicI64>,
    pub(crate) store: Arc<dyn OnlineStore>,
    end: watch::Sender<bool>,
    served: JoinHandle<Result<(), ServeError>>,
}

impl TestServer {
    pub(crate) async fn start(dir: &Path, wanted: Wanted) -> Self {
        let plan = plan_of(&wanted.yaml);
        Self::start_plan(dir, wanted, plan).await
    }

    pub(crate) async fn start_plan(dir: &Path, wanted: Wanted, plan: FeaturePlan) -> Self {
        let Wanted { yaml: _, modules, settings, served_log, around } = wanted;
        let project =
            OnlineProject { plan, modules, digests: BTreeMap::new(), evaluator: "test".to_owned() };
        let embedded =
            EmbeddedSettings { timeout: PATIENCE, ..EmbeddedSettings::new(dir.join("online")) };
        let store = open_online_store(&OnlineStoreSettings::Embedded(embedded)).await.unwrap();
        let store = around(store);
        let now = Arc::new(AtomicI64::new(NOON));
        let clock = Arc::clone(&now);
        let serving = Serving {
            settings,
            project,
            store: Arc::clone(&store),
            registry: dir.join("registry.sqlite"),
            materializer: None,
            archive: None,
            served_log,
            clock: Arc::new(move || clock.load(Ordering::SeqCst)),
            process: 1,
        };
        let (end, ends) = watch::channel(false);
        let (tell, told) = oneshot::channel();
        let served = tokio::spawn(serve(serving, ends, move |address| {
            tell.send(address).unwrap();
        }));
        let address = tokio::time::timeout(PATIENCE, told).await.unwrap().unwrap();
        let server = Self { address, now, store, end, served };
        for _ in 0..6000 {
            if server.get("/readyz").await.status == 200 {
                return server;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the server does not become ready");
    }

    pub(crate) async fn shop(dir: &Path) -> Self {
        Self::start(dir, Wanted::shop(dir)).await
    }

    /// Tells it to end, and waits until it has.
    pub(crate) async fn end(self) {
        self.end.send_replace(true);
        tokio::time::timeout(PATIENCE, self.served).await.unwrap().unwrap().unwrap();
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &[], b"").await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Reply {
        self.post_text(path, &body.to_string()).await
    }

    pub(crate) async fn post_text(&self, path: &str, body: &str) -> Reply {
        self.send("POST", path, &[], body.as_bytes()).await
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Reply {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let sent = talk(stream, method, path, headers, body);
        tokio::time::timeout(PATIENCE, sent).await.unwrap()
    }

    /// Pushes orders: user, amount, time.
    pub(crate) async fn push_orders(&self, orders: &[(&str, f64, &str)]) -> Reply {
        self.post("/push", &orders_body(orders)).await
    }
}

pub(crate) fn orders_body(orders: &[(&str, f64, &str)]) -> Value {
    serde_json::json!({
        "push_source_name": "orders",
        "to": "online",
        "df": {
            "user_id": orders.iter().map(|order| order.0).collect::<Vec<_>>(),
            "amount": orders.iter().map(|order| order.1).collect::<Vec<_>>(),
            "ts": orders.iter().map(|order| order.2).collect::<Vec<_>>(),
        },
    })
}

/// One request on a connection of its own, which the server closes.
pub(crate) async fn talk(
    mut stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Reply {
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    if method == "POST" {
        head += &format!("Content-Length: {}\r\n", body.len());
    }
    head += "\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    // A server that has answered already takes no more.
    let _ = stream.write_all(body).await;
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes).await;
    Reply::read(&bytes)
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn read(bytes: &[u8]) -> Self {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.unwrap_or_else(|| panic!("no answer: {:?}", String::from_utf8_lossy(bytes)));
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut body = bytes[end + 4..].to_vec();
        if head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
            body = joined(&body);
        }
        Self { status, head, body }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The answer of a request that is answered.
    pub(crate) fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{}", self.text());
        self.json()
    }

    /// The status of one that is not, and what it says.
    pub(crate) fn refused(self) -> (u16, String) {
        assert!(self.status >= 400, "{}", self.text());
        (self.status, self.text())
    }
}

/// The chunks of a body put together.
fn joined(mut chunks: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = chunks.windows(2).position(|two| two == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&chunks[..end]).unwrap(), 16).unwrap();
        if size == 0 {
            break;
        }
        body.extend_from_slice(&chunks[end + 2..end + 2 + size]);
        chunks = &chunks[end + 2 + size + 2..];
    }
    body
}

/// A column of Feast's answer: values and statuses.
pub(crate) fn column(answer: &Value, name: &str) -> (Value, Value) {
    let names = answer["metadata"]["feature_names"].as_array().unwrap();
    let at = names.iter().position(|known| known == name);
    let result = &answer["results"][at.unwrap_or_else(|| panic!("no {name} in {answer}"))];
    (result["values"].clone(), result["statuses"].clone())
}
