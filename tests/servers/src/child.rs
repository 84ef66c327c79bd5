//! A process that does not outlive this one.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc;

/// Killed when dropped, and by the system when this process ends.
#[derive(Debug)]
pub(crate) struct ServerProcess {
    child: Child,
}

type Job = (Command, mpsc::Sender<std::io::Result<Child>>);

/// The thread that starts them: the system ends them with the thread that started them, so it must be one that never ends.
fn starter() -> &'static mpsc::Sender<Job> {
    static STARTER: OnceLock<mpsc::Sender<Job>> = OnceLock::new();
    STARTER.get_or_init(|| {
        let (jobs, queue) = mpsc::channel::<Job>();
        std::thread::spawn(move || {
            for (mut command, reply) in queue {
                let _ = reply.send(command.spawn());
            }
        });
        jobs
    })
}

impl ServerProcess {
    /// Starts a program in a folder, where it also leaves what it says, in `log`.
    pub(crate) fn start(mut command: Command, folder: &Path, install: &str) -> Self {
        let program = command.get_program().to_string_lossy().into_owned();
        let log = File::create(folder.join("log")).expect("a log in the server's folder");
        let errors = log.try_clone().expect("the log twice");
        command.current_dir(folder).stdin(Stdio::null()).stdout(log).stderr(errors);
        let parent = std::process::id();
        // SAFETY: between fork and exec only calls that are safe there: prctl, getppid, _exit.
        unsafe {
            command.pre_exec(move || {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                // It may have ended before that took hold.
                if libc::getppid().cast_unsigned() != parent {
                    libc::_exit(1);
                }
                Ok(())
            });
        }
        let (reply, child) = mpsc::channel();
        starter().send((command, reply)).expect("the thread that starts servers");
        let child = child.recv().expect("the thread that starts servers");
        let child = child.unwrap_or_else(|error| {
            panic!(
                "{program} cannot be started ({error}); `./setup.sh test` installs it ({install})"
            )
        });
        Self { child }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    pub(crate) fn signal(&self, signal: i32) {
        // SAFETY: the child was not waited for since it was last seen alive, so the number is still its own.
        unsafe { libc::kill(self.child.id().cast_signed(), signal) };
    }

    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port that nobody listens on now.
pub(crate) fn free_port() -> u16 {
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port of the loopback interface");
    listener.local_addr().expect("its address").port()
}

/// What a server said, for messages.
pub(crate) fn log_of(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("log")).unwrap_or_default()
}
