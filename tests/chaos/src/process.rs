//! A `doorward` process: started, killed, stopped and continued.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Longer than any start takes.
const DEADLINE: Duration = Duration::from_secs(30);

/// The program, built with every store. The features are those of this package's dependencies, so next to
/// nothing is built twice. `DOORWARD_CHAOS_PROGRAM` names one that is there already.
///
/// # Panics
/// If it cannot be built.
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        if let Some(program) = std::env::var_os("DOORWARD_CHAOS_PROGRAM") {
            return program.into();
        }
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "-p", "chaos-tests", "-p", "doorward-agent"]);
        cargo.args(["--lib", "--bin", "doorward"]);
        cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
        // Of the build that runs us, which may have been told another place.
        let test = std::env::current_exe().unwrap();
        let profile = test.ancestors().nth(2).unwrap();
        cargo.arg("--target-dir").arg(profile.parent().unwrap());
        if profile.ends_with("release") {
            cargo.arg("--release");
        }
        assert!(
            cargo.status().unwrap().success(),
            "doorward cannot be built"
        );
        profile.join("doorward")
    })
}

/// A running `doorward`. It is killed when it is dropped.
#[derive(Debug)]
pub struct Doorward {
    child: Child,
    log: PathBuf,
    port: u16,
}

impl Doorward {
    /// Starts it and waits until it listens.
    ///
    /// # Panics
    /// If it does not.
    pub async fn start(command: &str, config: &Path, log: PathBuf) -> Self {
        let child = Command::new(program())
            .args([command, "--config"])
            .arg(config)
            .env("DOORWARD_LOG", "info")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mut process = Self {
            child,
            log,
            port: 0,
        };
        let begun = Instant::now();
        loop {
            if let Some(port) = process.port_in_log() {
                process.port = port;
                return process;
            }
            let ended = process.child.try_wait().unwrap();
            assert!(
                ended.is_none() && begun.elapsed() < DEADLINE,
                "{command} does not start: {}",
                process.log()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn port_in_log(&self) -> Option<u16> {
        let log = self.log();
        let (_, rest) = log.split_once("listening address=127.0.0.1:")?;
        rest.split_once('\n')?.0.trim().parse().ok()
    }

    /// Where it listens.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// What it said.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Whether an agent listens to a policy server, by what it said last.
    pub fn is_linked(&self) -> bool {
        let log = self.log();
        let linked = log.rfind("listening to the policy server");
        let lost = log.rfind("the event stream of the policy server was lost");
        linked > lost
    }

    /// Whether an agent passes over a policy server, by what it said last of each.
    pub fn passes_over(&self) -> bool {
        let log = self.log();
        let mut out = BTreeSet::new();
        for line in log.lines() {
            if line.contains("passed over until it answers again server=") {
                out.insert(server(line));
            } else if line.contains(" is back server=") {
                out.remove(server(line));
            }
        }
        !out.is_empty()
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        // An error means that it has ended already.
        _ = self.child.kill();
        _ = self.child.wait();
    }

    /// Whether it runs, or is stopped.
    pub fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// SIGSTOP.
    pub fn pause(&self) {
        kill_process(Pid::from_child(&self.child), Signal::STOP).unwrap();
    }

    /// SIGCONT.
    pub fn resume(&self) {
        kill_process(Pid::from_child(&self.child), Signal::CONT).unwrap();
    }
}

/// Of whom a line speaks.
fn server(line: &str) -> &str {
    line.rsplit("server=").next().unwrap_or(line)
}

impl Drop for Doorward {
    fn drop(&mut self) {
        self.kill();
    }
}
