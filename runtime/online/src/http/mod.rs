//! HTTP: requests to the engine and back.

mod body;
mod docs;
mod feast;
mod feast_value;
mod features;
mod health;
mod materialize;
mod metrics;
mod registered;
mod reply;
mod server;
mod workers;
mod writes;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::{get, post};
use futures::FutureExt as _;
use hyper::Method;
use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue};
use tower::ServiceExt as _;

pub use materialize::{MaterializeJob, Materializer};
pub(crate) use reply::failure;
pub use server::ServeError;
pub(crate) use server::{Listening, ended};
pub(crate) use workers::Workers;

use crate::engine::{Answer, Engine, RawColumns};
use crate::error::{OnlineError, UnknownKind};
use crate::measure::Histogram;
use crate::push::Pusher;
use crate::registered::RegisteredFeatures;
use crate::served_log::ServedLog;
use crate::settings::{Clock, ServeSettings};

/// What handlers share.
pub(crate) struct App {
    pub(crate) engine: Arc<Engine>,
    pub(crate) settings: ServeSettings,
    pub(crate) clock: Clock,
    pub(crate) pusher: Pusher,
    pub(crate) materializer: Option<Arc<dyn Materializer>>,
    pub(crate) registered: RegisteredFeatures,
    pub(crate) served_log: Option<Arc<ServedLog>>,
    pub(crate) running: materialize::Running,
    /// Whether everything is warm and the log of earlier processes is applied.
    pub(crate) is_ready: AtomicBool,
    pub(crate) routes: RouteMeasures,
    pub(crate) ids: RequestIds,
}

/// Gives requests their ids.
#[derive(Debug)]
pub(crate) struct RequestIds {
    /// Tells this process from others.
    pub(crate) process: u32,
    pub(crate) next: AtomicU64,
}

/// The routes that are measured apart, as metrics name them.
pub(crate) const MEASURED_ROUTES: [&str; 5] =
    ["/get-online-features", "/v1/features", "/push", "/write-to-online-store", "other"];

/// What is counted about each route.
#[derive(Debug, Default)]
pub(crate) struct RouteMeasures {
    pub(crate) latencies: [Histogram; MEASURED_ROUTES.len()],
    /// Answers by the first digit of their status: 2xx to 5xx.
    pub(crate) statuses: [[crate::measure::Counter; 4]; MEASURED_ROUTES.len()],
}

/// The handlers of one server.
#[derive(Clone)]
pub(crate) struct Handlers {
    app: Arc<App>,
    router: Router,
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Ids of clients that are longer are replaced.
const LONGEST_ID: usize = 128;
/// Who watches over the server need not know its token.
const OPEN: [&str; 3] = ["/livez", "/readyz", "/health"];

impl Handlers {
    pub(crate) fn new(app: Arc<App>) -> Self {
        Self { router: router(Arc::clone(&app)), app }
    }

    pub(crate) fn settings(&self) -> &ServeSettings {
        &self.app.settings
    }

    /// Answers a request.
    pub(crate) async fn handle(&self, request: Request) -> Response {
        let begun = Instant::now();
        let app = &self.app;
        let id = app.ids.of(&request);
        let route = route_of(request.uri().path());
        let log = tracing::enabled!(tracing::Level::DEBUG)
            .then(|| (request.method().clone(), request.uri().path().to_owned()));
        let mut response = if !app.allows(&request) {
            reply::failure(&OnlineError::Unauthorized)
        } else {
            let answered = AssertUnwindSafe(self.answer(route, request, &id, begun));
            answered.catch_unwind().await.unwrap_or_else(|_| {
                reply::failure(&OnlineError::Internal("a handler panicked".to_owned()))
            })
        };
        let took = begun.elapsed();
        let status = response.status();
        app.routes.latencies[route].record(took);
        let class = usize::from(status.as_u16() / 100).clamp(2, 5) - 2;
        app.routes.statuses[route][class].add(1);
        if let Some((method, path)) = log {
            tracing::debug!(request_id = id, %method, path, status = status.as_u16(), ?took, "answered");
        }
        if status.is_server_error() {
            tracing::warn!(
                request_id = id,
                route = MEASURED_ROUTES[route],
                status = status.as_u16(),
                "a request was not answered"
            );
        }
        if let Ok(id) = HeaderValue::from_str(&id) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        response
    }

    async fn answer(&self, route: usize, request: Request, id: &str, begun: Instant) -> Response {
        let app = &self.app;
        // These come thousands of times a second; the router knows them, too.
        if request.method() == Method::POST {
            match route {
                0 => return feast::get_online_features(app, request, begun).await,
                1 => return features::features(app, request, id, begun).await,
                2 => return writes::push(app, request, begun).await,
                3 => return writes::write_to_online_store(app, request).await,
                _ => {}
            }
        }
        match self.router.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }
}

fn route_of(path: &str) -> usize {
    let known = MEASURED_ROUTES.iter().position(|route| *route == path);
    known.unwrap_or(MEASURED_ROUTES.len() - 1)
}

type AppState = State<Arc<App>>;

/// All routes.
fn router(app: Arc<App>) -> Router {
    let known = Router::new()
        .route(
            "/get-online-features",
            post(|State(app): AppState, request: Request| async move {
                feast::get_online_features(&app, request, Instant::now()).await
            }),
        )
        .route(
            "/v1/features",
            post(|State(app): AppState, request: Request| async move {
                features::features(&app, request, "", Instant::now()).await
            }),
        )
        .route(
            "/push",
            post(|State(app): AppState, request: Request| async move {
                writes::push(&app, request, Instant::now()).await
            }),
        )
        .route(
            "/write-to-online-store",
            post(|State(app): AppState, request: Request| async move {
                writes::write_to_online_store(&app, request).await
            }),
        )
        .route(
            "/materialize",
            post(|State(app): AppState, request: Request| async move {
                materialize::materialize(&app, request, false).await
            }),
        )
        .route(
            "/materialize-incremental",
            post(|State(app): AppState, request: Request| async move {
                materialize::materialize(&app, request, true).await
            }),
        )
        .route("/health", get(|State(app): AppState| async move { health::health(&app).await }))
        .route("/livez", get(|| async { health::alive() }))
        .route("/readyz", get(|State(app): AppState| async move { health::ready(&app).await }))
        .route("/metrics", get(|State(app): AppState| async move { metrics::prometheus(&app) }))
        .route(
            "/v1/performance",
            get(|State(app): AppState| async move { metrics::performance(&app) }),
        )
        .route("/openapi.json", get(|| async { docs::openapi() }))
        .route("/docs", get(|| async { docs::page() }))
        .merge(registered::routes());
    known
        .fallback(|request: Request| async move {
            let what = format!("there is no route {}", request.uri().path());
            let fix = "see /docs for all of them".to_owned();
            failure(&OnlineError::Unknown { kind: UnknownKind::Other, what, fix })
        })
        .with_state(app)
}

impl App {
    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    pub(crate) fn settings(&self) -> &ServeSettings {
        &self.settings
    }

    pub(crate) fn pusher(&self) -> &Pusher {
        &self.pusher
    }

    /// The time of asking, in microseconds.
    pub(crate) fn now(&self) -> i64 {
        (self.clock)()
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.is_ready.load(Relaxed)
    }

    /// Keeps an answer for `unskew replay`, if it is one of those that are kept.
    pub(crate) fn served(&self, answer: &Answer, service: Option<&str>, columns: &RawColumns<'_>) {
        if let Some(log) = &self.served_log {
            log.note(answer, service, columns);
        }
    }

    fn allows(&self, request: &Request) -> bool {
        let Some(token) = &self.settings.token else { return true };
        if OPEN.contains(&request.uri().path()) {
            return true;
        }
        let given = request.headers().get(AUTHORIZATION).map(HeaderValue::as_bytes);
        let given = given.and_then(|given| {
            let (scheme, token) = given.split_at_checked(7)?;
            scheme.eq_ignore_ascii_case(b"Bearer ").then_some(token)
        });
        given.is_some_and(|given| same(given, token.as_bytes()))
    }
}

/// Whether two secrets are the same, in a time that does not tell where they
/// differ.
fn same(a: &[u8], b: &[u8]) -> bool {
    let differs = a.iter().zip(b).fold(0, |differs, (a, b)| differs | (a ^ b));
    std::hint::black_box(differs) == 0 && a.len() == b.len()
}

impl RequestIds {
    /// The client's own id, or a new one.
    fn of(&self, request: &Request) -> String {
        let given = request.headers().get(REQUEST_ID).and_then(|id| id.to_str().ok());
        let fits = |id: &&str| {
            !id.is_empty() && id.len() <= LONGEST_ID && id.bytes().all(|b| b.is_ascii_graphic())
        };
        match given.filter(fits) {
            Some(id) => id.to_owned(),
            None => format!("{:08x}-{:x}", self.process, self.next.fetch_add(1, Relaxed)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_the_same_or_not() {
        assert!(same(b"abc", b"abc") && same(b"", b""));
        assert!(!same(b"abc", b"abd") && !same(b"ab", b"abc") && !same(b"abc", b"ab"));
    }

    #[test]
    fn ids_of_clients_are_kept_if_they_are_harmless() {
        let ids = RequestIds { process: 7, next: AtomicU64::new(1) };
        let of = |id: &str| {
            let request = Request::builder().header("x-request-id", id);
            ids.of(&request.body(axum::body::Body::empty()).unwrap())
        };
        assert_eq!(of("trace-1"), "trace-1");
        assert_eq!(of("a b"), "00000007-1");
        assert_eq!(of(&"x".repeat(129)), "00000007-2");
    }
}
