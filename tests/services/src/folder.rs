//! A temporary folder that does not outlive the test, and a server that does not either.

use std::io::Write;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use rustix::process::Pid;

/// Reads the ids of servers. When the pipe ends, the test has ended: kills the last server and its
/// children, which may be stopped, and removes the folder.
const GUARD: &str = r#"
while read -r line; do pid=$line; done
if [ -n "$pid" ]; then
    kill -STOP "$pid"
    kill -KILL $(cat "/proc/$pid/task/$pid/children") "$pid"
fi 2>/dev/null
rm -rf -- "$1"
"#;

/// A temporary folder, watched by a process that outlives this one for a moment.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    guard: Child,
    pipe: Option<ChildStdin>,
}

impl Folder {
    /// A new folder.
    pub(crate) fn new() -> Self {
        let path = tempfile::Builder::new()
            .prefix("doorward-test-")
            .tempdir()
            .unwrap()
            .keep();
        let mut guard = Command::new("/bin/sh")
            .args(["-c", GUARD, "guard"])
            .arg(&path)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // An interrupt from the keyboard is for the test; the guard learns of it by its end.
            .process_group(0)
            .spawn()
            .unwrap();
        let pipe = guard.stdin.take();
        Self { path, guard, pipe }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Says which server is to end with the test.
    pub(crate) fn runs(&mut self, server: Option<Pid>) {
        let line = server.map_or_else(String::new, |pid| pid.as_raw_nonzero().to_string());
        let pipe = self.pipe.as_mut().expect("open until dropped");
        writeln!(pipe, "{line}").unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(self.pipe.take());
        let _ = self.guard.wait();
    }
}
