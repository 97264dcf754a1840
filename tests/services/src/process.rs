//! A server's process: killed, stopped, continued, and never left behind.

use std::fs::{self, OpenOptions};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::eventually;
use crate::folder::Folder;

/// A server that can be started again and again.
#[derive(Debug)]
pub(crate) struct Process {
    command: Command,
    child: Option<Child>,
    log: PathBuf,
    // After the child: a folder is removed when nobody writes into it any more.
    folder: Folder,
}

/// What tests can do to a server, which has a `process` that it can `run`.
macro_rules! controlled {
    ($server:ident) => {
        impl $server {
            /// The id of its process.
            pub fn process_id(&self) -> u32 {
                self.process.id()
            }

            /// The folder that holds its data.
            pub fn folder(&self) -> &std::path::Path {
                self.process.folder().path()
            }

            /// SIGKILL, to it and all its children.
            pub fn kill(&mut self) {
                self.process.kill();
            }

            /// Kills it if it runs, and starts it again with the same ports and data.
            ///
            /// # Panics
            /// If it does not start.
            pub fn restart(&mut self) {
                self.kill();
                assert!(self.run(), "{}", self.process.output());
            }

            /// SIGSTOP, to it and all its children.
            pub fn pause(&self) {
                self.process.pause();
            }

            /// SIGCONT.
            pub fn resume(&self) {
                self.process.resume();
            }
        }
    };
}
pub(crate) use controlled;

impl Process {
    /// A server that is not running yet. It lives in `folder`, and its output goes to a file there.
    pub(crate) fn new(mut command: Command, folder: Folder) -> Self {
        let log = folder.path().join("log");
        command
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .process_group(0);
        Self {
            command,
            child: None,
            log,
            folder,
        }
    }

    pub(crate) fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Starts the server and waits until `ready`. Returns false if it ended instead.
    pub(crate) fn start(&mut self, mut ready: impl FnMut() -> bool) -> bool {
        assert!(self.child.is_none(), "it is running");
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.log)
            .unwrap();
        self.command.stdout(log.try_clone().unwrap()).stderr(log);
        let child = self.child.insert(self.command.spawn().unwrap());
        self.folder.runs(Some(id(child)));
        let alive = eventually("the server", || {
            if child.try_wait().unwrap().is_some() {
                return Some(false);
            }
            ready().then_some(true)
        });
        if !alive {
            self.child = None;
            self.folder.runs(None);
        }
        alive
    }

    /// Its id.
    pub(crate) fn id(&self) -> u32 {
        self.child.as_ref().expect("it is running").id()
    }

    /// What the server has written.
    pub(crate) fn output(&self) -> String {
        let bytes = fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Kills the server and its children with SIGKILL, and waits until they are gone.
    pub(crate) fn kill(&mut self) {
        let Some(mut child) = self.child.take() else {
            return;
        };
        let server = id(&child);
        // Stopped first: it must not make a child between the look and the kill.
        let _ = kill_process(server, Signal::STOP);
        let family = children(server);
        for pid in family.iter().copied().chain([server]) {
            let _ = kill_process(pid, Signal::KILL);
        }
        child.wait().unwrap();
        self.folder.runs(None);
        for pid in family {
            eventually("the end of a server's child", || {
                matches!(state(pid), None | Some('Z')).then_some(())
            });
        }
    }

    /// Stops the server and its children: their connections stay open, and nothing answers.
    pub(crate) fn pause(&self) {
        let server = id(self.child.as_ref().expect("it is running"));
        stop(server);
        for pid in children(server) {
            stop(pid);
        }
    }

    /// Lets it go on.
    pub(crate) fn resume(&self) {
        let server = id(self.child.as_ref().expect("it is running"));
        for pid in children(server).into_iter().chain([server]) {
            let _ = kill_process(pid, Signal::CONT);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let output = self.output();
            let start = output.floor_char_boundary(output.len().saturating_sub(4000));
            eprintln!("The end of what the server said:\n{}", &output[start..]);
        }
    }
}

fn id(child: &Child) -> Pid {
    Pid::from_child(child)
}

fn stop(pid: Pid) {
    let _ = kill_process(pid, Signal::STOP);
    eventually("a server to stop", || {
        matches!(state(pid), None | Some('T' | 'Z')).then_some(())
    });
}

fn children(pid: Pid) -> Vec<Pid> {
    let pid = pid.as_raw_nonzero();
    let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    list.split_whitespace()
        .filter_map(|word| Pid::from_raw(word.parse().ok()?))
        .collect()
}

/// One letter as in proc_pid_stat(5); nothing if there is no such process.
fn state(pid: Pid) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    // The name before it is in parentheses, and may hold some itself.
    stat.rsplit_once(") ")?.1.chars().next()
}
