use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use clap::Args;
use unskew_definition::Name;
use unskew_executor::{
    AggregateKernel, EvaluationError, Evaluator, ModuleAggregate, ModuleCatalog, ModuleTransform,
    TransformKernel,
};
use unskew_host::{CompiledModule, Limits};
use unskew_online::{OnlineProject, PushArchive, ServeError, ServeSettings, ServedSink, Serving};

use crate::config::{ProjectConfig, ServeSection};
use crate::context::{Context, now};
use crate::failure::UserError;
use crate::feature_project::FeatureProject;
use crate::logging;
use crate::serve_archive::Archive;
use crate::serve_materialize::MaterializeCommand;
use crate::stores::{offline_store, online_store};
use crate::terminal::{FAINT, GOOD, paint};

pub(crate) const EXAMPLES: &str = "\
Examples:
  unskew serve shop                              at 127.0.0.1:6566, from the embedded store
  unskew serve shop --listen 127.0.0.1:7000
  unskew serve shop --set online_store.type=redis --set online_store.url=redis://127.0.0.1:6379
  UNSKEW_SERVE_TOKEN=... unskew serve shop --listen 0.0.0.0:6566

  curl -s localhost:6566/get-online-features -H 'content-type: application/json' \\
    -d '{\"feature_service\": \"fraud\", \"entities\": {\"user_id\": [\"u1\"], \"amount\": [10.0]}}'

All settings stand under [serve] in unskew.toml, see `unskew config`; the routes at /docs. Ctrl-C lets
requests that were begun finish.";

/// Serve the features of a project by HTTP
///
/// Answers Feast's routes (/get-online-features, /push, ...), our own
/// (/v1/features) with true statuses and where each value comes from, and the
/// simple ones under /features. Definitions and modules are read once, at the
/// start.
#[derive(Debug, Args)]
pub(crate) struct ServeArguments {
    /// The project: a folder with unskew.toml, with a module, or with YAML
    /// files; or one such file
    #[arg(value_name = "DIR", default_value = ".")]
    project: PathBuf,
    /// The address to listen at, as serve.listen
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<String>,
    /// Threads that serve, as serve.threads
    #[arg(long, value_name = "N")]
    threads: Option<String>,
}

pub(crate) fn run(arguments: &ServeArguments, context: &Context) -> anyhow::Result<()> {
    let mut settings = context.settings.clone();
    for (key, value) in [("serve.listen", &arguments.listen), ("serve.threads", &arguments.threads)]
    {
        settings.extend(value.iter().map(|value| (key.to_owned(), value.clone())));
    }
    let project = FeatureProject::open_with(&arguments.project, context, &settings)?;
    let serve = &project.config.serve;
    logging::start_serving(&serve.log_level, serve.log_as_json, context)?;
    let served = online_project(&project, context)?;
    let _cleans_up = context.interrupt.defer();
    // For what is done beside requests, which have threads of their own.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("no threads to serve with")?;
    let materializer = MaterializeCommand {
        project: arguments.project.clone(),
        settings,
        cache_dir: context.cache_dir.clone(),
    };
    let served = serve_until_interrupted(&project.config, served, materializer, context);
    let done = runtime.block_on(served);
    runtime.shutdown_timeout(Duration::from_secs(1));
    done
}

async fn serve_until_interrupted(
    config: &ProjectConfig,
    project: OnlineProject,
    materializer: MaterializeCommand,
    context: &Context,
) -> anyhow::Result<()> {
    let store = online_store(config).await?;
    let process = process_number();
    let archive = Arc::new(Archive::new(offline_store(config)?, process));
    let share = config.serve.served_log;
    let serving = Serving {
        settings: serve_settings(&config.serve),
        project,
        store,
        registry: config.registry_path.clone(),
        materializer: Some(Arc::new(materializer)),
        archive: Some(Arc::clone(&archive) as Arc<dyn PushArchive>),
        served_log: (share > 0.0).then_some((share, archive as Arc<dyn ServedSink>)),
        clock: Arc::new(now),
        process,
    };
    let (tell, end) = tokio::sync::watch::channel(false);
    let interrupt = context.interrupt.clone();
    tokio::spawn(async move {
        // The signal's handler may do no more than raise a flag.
        while !interrupt.raised() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        tell.send_replace(true);
    });
    let scheme = if config.serve.tls.is_some() { "https" } else { "http" };
    let listening = |address| announce(&format!("{scheme}://{address}"), context);
    let served = unskew_online::serve(serving, end, listening).await;
    served.map_err(|error| match error {
        ServeError::Listen { .. } | ServeError::NoToken(_) | ServeError::Tls { .. } => {
            UserError::new(error.to_string()).at(config.place_of("serve.listen")).into()
        }
        other => anyhow::Error::from(other),
    })
}

fn announce(url: &str, context: &Context) {
    use std::io::Write as _;
    // Where stdout is gone there is nobody to tell; requests are answered all the same.
    let _ = match context.json {
        true => writeln!(std::io::stdout(), "{}", serde_json::json!({ "listening": url })),
        false if context.quiet => Ok(()),
        false => writeln!(
            anstream::stdout(),
            "{} {url} {}",
            paint(GOOD, "serving"),
            paint(FAINT, "(routes: /docs; end with Ctrl-C)")
        ),
    };
    let _ = std::io::stdout().flush();
}

/// Tells the ids that this process gives from those of others.
#[allow(clippy::disallowed_methods, reason = "no value depends on it")]
fn process_number() -> u32 {
    let nanos = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.subsec_nanos());
    std::process::id().rotate_left(16) ^ nanos
}

/// The plan of a project with all its modules compiled.
pub(crate) fn online_project(
    project: &FeatureProject,
    context: &Context,
) -> anyhow::Result<OnlineProject> {
    let mut modules = BTreeMap::new();
    for name in project.module_names() {
        modules.insert(name.clone(), project.module(name, context)?);
    }
    let digests = modules.iter().map(|(name, module)| (name.clone(), module.digest().to_string()));
    Ok(OnlineProject {
        plan: project.plan.clone(),
        digests: digests.collect(),
        modules: Arc::new(LoadedModules(modules)),
        evaluator: Evaluator::new(&Limits::default()).id(),
    })
}

/// Modules that any thread may call.
struct LoadedModules(BTreeMap<Name, CompiledModule>);

impl LoadedModules {
    fn module(&self, name: &Name) -> Result<&CompiledModule, EvaluationError> {
        self.0.get(name).ok_or_else(|| EvaluationError::Module {
            module: name.to_string(),
            reason: "the project has no such module; name it under [modules] in unskew.toml"
                .to_owned(),
        })
    }
}

impl ModuleCatalog for LoadedModules {
    fn transform(
        &self,
        module: &Name,
        transform: &Name,
    ) -> Result<Arc<dyn TransformKernel>, EvaluationError> {
        Ok(Arc::new(ModuleTransform::find(self.module(module)?, transform.as_str())?))
    }

    fn aggregate(
        &self,
        module: &Name,
        aggregate: &Name,
    ) -> Result<Arc<dyn AggregateKernel>, EvaluationError> {
        Ok(Arc::new(ModuleAggregate::find(self.module(module)?, aggregate.as_str())?))
    }
}

fn serve_settings(section: &ServeSection) -> ServeSettings {
    let ServeSection {
        listen,
        token,
        deadline,
        max_body_bytes,
        max_entities,
        max_connections,
        idle_timeout,
        shutdown_timeout,
        threads,
        tls,
        log_level: _,
        log_as_json: _,
        push_log,
        served_log: _,
        alerts,
    } = section;
    ServeSettings {
        listen: *listen,
        token: token.clone(),
        deadline: *deadline,
        max_body_bytes: *max_body_bytes,
        max_entities: *max_entities,
        max_connections: *max_connections,
        idle_timeout: *idle_timeout,
        shutdown_timeout: *shutdown_timeout,
        threads: *threads,
        tls: tls.clone(),
        push_log: push_log.clone(),
        alerts: alerts.clone(),
    }
}
