//! Servers that are measured: started on free ports of the loopback, asked
//! until they answer, and killed with all that they started.

use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use crate::figures::Bench;
use crate::guests::project;

/// A running server; it ends when this is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) port: u16,
}

impl Server {
    /// Starts it, and waits until it takes connections. What it says goes to
    /// `log`.
    fn start(mut command: Command, port: u16, log: &Path) -> anyhow::Result<Self> {
        const PATIENCE: Duration = Duration::from_secs(60);
        let name = command.get_program().to_string_lossy().into_owned();
        let output = File::create(log)?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        // A group of its own, so that its children end with it.
        let child =
            command.process_group(0).spawn().with_context(|| format!("cannot run {name}"))?;
        let mut server = Self { child, port };
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = server.child.try_wait()?.is_some();
            ensure!(
                !ended && start.elapsed() < PATIENCE,
                "{name} does not answer: {}",
                fs::read_to_string(log).unwrap_or_default()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }

    /// The process, whose children are part of the server.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Redis without persistence.
    pub(crate) fn redis(folder: &Path) -> anyhow::Result<Self> {
        let port = free_port()?;
        let mut command = Command::new("redis-server");
        command.args(["--port", &port.to_string(), "--save", "", "--appendonly", "no"]);
        command.args(["--bind", "127.0.0.1", "--dir"]).arg(folder);
        Self::start(command, port, &folder.join("redis.log"))
    }

    /// Feast's feature server over Redis, with the features of `feast_online.py`.
    pub(crate) fn feast(bench: &Bench, folder: &Path, redis: u16) -> anyhow::Result<Self> {
        let programs = bench.guests.cache_dir.join("python-feast/bin");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/feast_online.py");
        let repository = folder.join("feast");
        let mut fill = Command::new(programs.join("python"));
        fill.args(["-W", "ignore"]).arg(script).arg(&repository).arg(redis.to_string());
        let filled = fill.output().context("Feast is missing; `./setup.sh bench` installs it")?;
        ensure!(filled.status.success(), "{}", String::from_utf8_lossy(&filled.stderr));
        let port = free_port()?;
        let mut command = Command::new(programs.join("feast"));
        command.current_dir(&repository).args(["serve", "--host", "127.0.0.1", "--no-access-log"]);
        // Its workers end after a thousand requests otherwise, and take connections with them.
        command.args(["--max-requests", "0"]);
        command.args(["--port", &port.to_string()]);
        Self::start(command, port, &folder.join("feast.log"))
    }

    /// The least that could answer: `floor_server.rs`, in a process of its own.
    pub(crate) fn floor(folder: &Path, redis: u16) -> anyhow::Result<Self> {
        let port = free_port()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["--floor-server", &format!("{port}:{redis}")]);
        Self::start(command, port, &folder.join("floor.log"))
    }

    /// `unskew serve` of a project.
    pub(crate) fn unskew(bench: &Bench, project: &Path) -> anyhow::Result<Self> {
        let port = free_port()?;
        let mut command = bench.unskew()?;
        command.arg("serve").arg(project);
        command.args(["--listen", &format!("127.0.0.1:{port}")]);
        Self::start(command, port, &project.join("serve.log"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SAFETY: it sends a signal to the group that was made for this child, which still is ours.
        unsafe { libc::kill(-(self.child.id() as i32), libc::SIGKILL) };
        let _ = self.child.wait();
    }
}

/// One that nobody listened on a moment ago.
pub(crate) fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// Which online store.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Store {
    Embedded,
    Redis(u16),
}

/// Writes the project that answers what Feast is asked: `stats` with two
/// features, `wide` with fifty, and the score on demand in Rust and in Python.
pub(crate) fn write_project(bench: &Bench, folder: &Path, store: Store) -> anyhow::Result<PathBuf> {
    let dir = folder.join(match store {
        Store::Embedded => "embedded",
        Store::Redis(_) => "redis",
    });
    fs::create_dir_all(&dir)?;
    for guest in ["rust", "python"] {
        fs::write(dir.join(format!("{guest}.wasm")), bench.guests.module(guest)?)
            .with_context(|| format!("the module of {}", project(guest).display()))?;
    }
    let store = match store {
        Store::Embedded => "type = \"embedded\"".to_owned(),
        Store::Redis(port) => format!("type = \"redis\"\nurl = \"redis://127.0.0.1:{port}\""),
    };
    fs::write(
        dir.join("unskew.toml"),
        format!(
            "[project]\nname = \"bench\"\ndefinitions = [\"*.yaml\"]\n\n[modules]\nrust = \"rust.wasm\"\npython = \"python.wasm\"\n\n[online_store]\n{store}\n"
        ),
    )?;
    fs::write(dir.join("features.yaml"), definitions())?;
    Ok(dir)
}

const SPIN: &str = "  - name: spin
    inputs: {x: \"stats:x\"}
    transforms: [{transform: spin, module: rust, outputs: {spin: spun}}]
    features: [{name: spun}]
";

/// The features of `wide`.
pub(crate) const WIDE: usize = 50;

/// `spin` is a view whose module never ends.
fn definitions() -> String {
    let wide: Vec<String> = (0..WIDE).map(|number| format!("f{number:02}")).collect();
    let source = |name: &str, features: &[String]| {
        let fields: String = features
            .iter()
            .map(|feature| format!("      - {{name: {feature}, type: float64, nullable: true}}\n"))
            .collect();
        format!(
            "  - name: {name}_rows\n    push: true\n    event_timestamp: event_timestamp\n    fields:\n      - {{name: user_id, type: int64}}\n      - {{name: event_timestamp, type: timestamp}}\n{fields}"
        )
    };
    let view = |name: &str, features: &[String]| {
        let features: String =
            features.iter().map(|feature| format!("      - {{name: {feature}}}\n")).collect();
        format!(
            "  - name: {name}\n    entities: [user]\n    source: {name}_rows\n    features:\n{features}"
        )
    };
    let stats = ["x".to_owned(), "y".to_owned()];
    let score = |language: &str| {
        format!(
            "  - name: score_{language}\n    inputs: {{x: \"stats:x\", y: \"stats:y\"}}\n    transforms:\n      - {{transform: light, module: {language}, outputs: {{light: score}}}}\n    features:\n      - {{name: score}}\n"
        )
    };
    format!(
        "entities:\n  - {{name: user, join_keys: [{{name: user_id, type: int64}}]}}\nsources:\n{}{}feature_views:\n{}{}on_demand_feature_views:\n{}{}{SPIN}feature_services:\n  - {{name: spinning, features: [spin]}}\n  - {{name: scored_rust, features: [score_rust]}}\n  - {{name: scored_python, features: [score_python]}}\n  - {{name: wide_service, features: [wide]}}\n",
        source("stats", &stats),
        source("wide", &wide),
        view("stats", &stats),
        view("wide", &wide),
        score("rust"),
        score("python"),
    )
}
