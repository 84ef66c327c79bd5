use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use tokio::sync::watch;
use unskew_registry::Registry;
use unskew_store::OnlineStore;

use crate::alerts;
use crate::engine::Engine;
use crate::http::{App, Handlers, Listening, Materializer, RequestIds, ServeError, Workers, ended};
use crate::project::OnlineProject;
use crate::push::{PushArchive, PushLog, Pusher};
use crate::registered::RegisteredFeatures;
use crate::served_log::{ServedLog, ServedSink};
use crate::settings::{Clock, ServeSettings};

/// All that a server is made of.
pub struct Serving {
    /// How to serve.
    pub settings: ServeSettings,
    /// What is served.
    pub project: OnlineProject,
    /// Where features are read from and written to.
    pub store: Arc<dyn OnlineStore>,
    /// The SQLite file of registered features.
    pub registry: PathBuf,
    /// What materializes, if anything.
    pub materializer: Option<Arc<dyn Materializer>>,
    /// Where pushed rows are kept for training.
    pub archive: Option<Arc<dyn PushArchive>>,
    /// Which share of entities has its answers kept, and where.
    pub served_log: Option<(f64, Arc<dyn ServedSink>)>,
    /// The time of asking.
    pub clock: Clock,
    /// Tells this process from others in the ids of requests.
    pub process: u32,
}

impl std::fmt::Debug for Serving {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Serving").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// Serves until `end` is set. `listening` is told the address once requests are
/// taken, which is before all modules are bound: `/readyz` says when they are.
pub async fn serve(
    serving: Serving,
    mut end: watch::Receiver<bool>,
    listening: impl FnOnce(SocketAddr),
) -> Result<(), ServeError> {
    let Serving {
        settings,
        project,
        store,
        registry,
        materializer,
        archive,
        served_log,
        clock,
        process,
    } = serving;
    let resource =
        |what: &str, reason: String| ServeError::Resource { what: what.to_owned(), reason };
    let listener = Listening::at(&settings)?;
    let evaluator = project.evaluator.clone();
    let engine = Engine::new(project, Arc::clone(&store))
        .map_err(|error| resource("threads", error.to_string()))?;
    let engine = Arc::new(engine);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let workers = Workers::start(settings.threads.unwrap_or(cores))
        .map_err(|error| resource("threads", error.to_string()))?;
    let registry = Registry::open(&registry)
        .await
        .map_err(|error| resource("registered features", error.to_string()))?;
    let registered = RegisteredFeatures::open(registry, store, evaluator.clone())
        .await
        .map_err(|error| resource("registered features", error.to_string()))?;
    let place = settings.push_log.display().to_string();
    let (log, reader) = PushLog::open(&settings.push_log)
        .map_err(|error| resource(&format!("the push log {place}"), error.to_string()))?;
    let pusher = Pusher::new(Arc::clone(&engine), archive, log);
    let served_log =
        served_log.map(|(share, sink)| Arc::new(ServedLog::new(share, evaluator, sink)));
    let rules = settings.alerts.clone();
    let app = Arc::new(App {
        engine: Arc::clone(&engine),
        settings,
        clock: Arc::clone(&clock),
        pusher,
        materializer,
        registered,
        served_log: served_log.clone(),
        running: Default::default(),
        is_ready: AtomicBool::new(false),
        routes: Default::default(),
        ids: RequestIds { process, next: AtomicU64::new(1) },
    });
    let address = listener.address().map_err(|error| resource("the address", error.to_string()))?;

    let warm = {
        let (app, engine) = (Arc::clone(&app), Arc::clone(&engine));
        tokio::task::spawn_blocking(move || match engine.warm() {
            Ok(()) => app.is_ready.store(true, Relaxed),
            Err(error) => {
                // What can be bound is served; the rest says so when it is asked for.
                tracing::error!(%error, "not all views can be served");
                app.is_ready.store(true, Relaxed);
            }
        })
    };
    let (applied, clock_of_log) = (Arc::clone(&app), Arc::clone(&clock));
    let apply = tokio::spawn(async move {
        applied.pusher.apply_log(reader, move || clock_of_log()).await;
    });
    let watch_alerts = tokio::spawn(alerts::watch(rules, engine, clock, end.clone()));
    let keep = served_log.map(|log| {
        let end = end.clone();
        tokio::spawn(async move { log.run(end).await })
    });
    listening(address);
    listener.serve(Handlers::new(app), &workers, end.clone()).await;

    // Told to end: what was served last is kept; what is logged stays in the log.
    ended(&mut end).await;
    apply.abort();
    warm.abort();
    let _ = watch_alerts.await;
    if let Some(keep) = keep {
        let _ = keep.await;
    }
    Ok(())
}
