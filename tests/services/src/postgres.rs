//! PostgreSQL.

use std::fs::{self, Permissions};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::folder::Folder;
use crate::process::{Process, controlled};
use crate::{Certificate, find, or_skip, port, random_password};

const USER: &str = "doorward";

/// A server that speaks TLS and wants a password (SCRAM-SHA-256). It flushes to disk unless told otherwise.
#[derive(Debug)]
pub struct Postgres {
    process: Process,
    port: u16,
    certificate: Certificate,
    databases: AtomicUsize,
}

/// What the process shares: making a database folder takes most of a second, copying one does not.
#[derive(Debug)]
struct Template {
    programs: PathBuf,
    owner: Option<Owner>,
    password: String,
    folder: Folder,
}

/// As whom it runs, if not as who we are: PostgreSQL refuses to be root.
#[derive(Clone, Copy, Debug)]
struct Owner {
    user: u32,
    group: u32,
}

controlled!(Postgres);

impl Postgres {
    /// A new server; nothing if the programs are missing.
    pub fn start() -> Option<Self> {
        Self::start_with(&[])
    }

    /// The same, with further settings, such as `("fsync", "off")`.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start_with(settings: &[(&str, &str)]) -> Option<Self> {
        let template = Template::get()?;
        // Somebody may take the port between our look and its start.
        for _ in 0..10 {
            let port = port::free();
            let certificate = Certificate::new();
            let folder = template.folder();
            let write = |name: &str, text: &str| {
                let path = folder.path().join(name);
                fs::write(&path, text).unwrap();
                // It refuses a key that others can read.
                fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
                template.give(&path);
            };
            write("ca.pem", &certificate.ca_pem);
            write("cert.pem", &certificate.cert_pem);
            write("key.pem", &certificate.key_pem);
            let mut command = template.command("postgres", folder.path());
            command.args(["-D", "data"]);
            let port_text = port.to_string();
            let here = folder.path().display().to_string();
            let (cert, key) = (format!("{here}/cert.pem"), format!("{here}/key.pem"));
            let own = [
                ("listen_addresses", "127.0.0.1"),
                ("port", &port_text),
                ("unix_socket_directories", ""),
                ("ssl", "on"),
                ("ssl_cert_file", &cert),
                ("ssl_key_file", &key),
                ("shared_buffers", "16MB"),
                // Files in its own folder: others outlive a SIGKILL.
                ("dynamic_shared_memory_type", "mmap"),
            ];
            for (name, value) in own.iter().chain(settings) {
                command.arg("-c").arg(format!("{name}={value}"));
            }
            let mut postgres = Self {
                process: Process::new(command, folder),
                port,
                certificate,
                databases: AtomicUsize::new(0),
            };
            template.fill(postgres.process.folder());
            if postgres.run() {
                return Some(postgres);
            }
            let output = postgres.process.output();
            assert!(output.contains("in use"), "{output}");
        }
        panic!("no port is free");
    }

    /// One server for all tests of the process, without flushes to disk: for tests that need only a
    /// [`Self::database`] and leave the server alone.
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Postgres>> = OnceLock::new();
        SHARED
            .get_or_init(|| Self::start_with(&[("fsync", "off")]))
            .as_ref()
    }

    /// Whether the programs are installed. If not, says so as `start` does.
    pub fn available() -> bool {
        Template::get().is_some()
    }

    /// Makes an empty database and returns its URL. A wiped server has lost it.
    pub fn database(&self) -> String {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{number}");
        let made = self.sql(&self.url(), &format!("CREATE DATABASE {name}"));
        made.unwrap();
        self.url_of(&name)
    }

    /// The URL of the database that every server has, with user and password.
    pub fn url(&self) -> String {
        self.url_of("postgres")
    }

    fn url_of(&self, database: &str) -> String {
        let (password, address) = (self.password(), self.address());
        format!("postgresql://{USER}:{password}@{address}/{database}")
    }

    /// Where it listens. It takes connections with and without TLS.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The user, a superuser.
    pub fn user(&self) -> &'static str {
        USER
    }

    /// The user's password.
    ///
    /// # Panics
    /// Never: it is that of the template this server was made of.
    pub fn password(&self) -> &'static str {
        &Template::get().expect("made of it").password
    }

    /// Its certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The authority's certificate in a file.
    pub fn ca_file(&self) -> PathBuf {
        self.process.folder().path().join("ca.pem")
    }

    /// Runs SQL with psql in the database of a URL; returns the rows, values separated by `|`.
    ///
    /// # Errors
    /// What psql said.
    pub fn sql(&self, url: &str, statements: &str) -> Result<String, String> {
        psql(url, statements)
    }

    /// Starts it again with the same port and password, and nothing in it.
    ///
    /// # Panics
    /// If it does not start.
    pub fn wipe(&mut self) {
        self.kill();
        fs::remove_dir_all(self.process.folder().path().join("data")).unwrap();
        Template::get()
            .expect("made of it")
            .fill(self.process.folder());
        self.restart();
    }

    /// Starts it again as a standby that follows nobody: it answers, and takes no writes.
    ///
    /// # Panics
    /// If it does not start.
    pub fn stand_by(&mut self) {
        self.kill();
        let signal = self.process.folder().path().join("data/standby.signal");
        fs::write(signal, "").unwrap();
        self.restart();
    }

    fn run(&mut self) -> bool {
        let url = self.url();
        self.process
            .start(|| psql(&url, "SELECT 1").is_ok_and(|answer| answer == "1\n"))
    }
}

impl Template {
    fn get() -> Option<&'static Self> {
        static TEMPLATE: OnceLock<Option<Template>> = OnceLock::new();
        TEMPLATE.get_or_init(Self::make).as_ref()
    }

    fn make() -> Option<Self> {
        let programs = or_skip(programs(), "PostgreSQL", "postgresql")?;
        let mut template = Self {
            programs,
            owner: owner(),
            password: random_password(),
            folder: Folder::new(),
        };
        let folder = template.folder.path().to_owned();
        template.give(&folder);
        let password_file = folder.join("password");
        fs::write(&password_file, &template.password).unwrap();
        let mut command = template.command("initdb", &folder);
        command.args(["-D", "data", "--no-sync", "--no-instructions"]);
        command.args(["-U", USER, "--pwfile=password", "-A", "scram-sha-256"]);
        command.args(["-E", "UTF8", "--locale=C"]);
        let done = command.output().unwrap();
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
        // A shared value is never dropped: what it must do at the end, the folder's guard does.
        template.folder.runs(None);
        Some(template)
    }

    /// A folder for one server.
    fn folder(&self) -> Folder {
        let folder = Folder::new();
        self.give(folder.path());
        folder
    }

    /// Copies the database into a folder.
    fn fill(&self, folder: &Folder) {
        let mut copy = Command::new("cp");
        copy.arg("-a")
            .arg(self.folder.path().join("data"))
            .arg(folder.path());
        assert!(copy.status().unwrap().success());
    }

    /// Makes a file or folder the server's.
    fn give(&self, path: &Path) {
        if let Some(Owner { user, group }) = self.owner {
            chown(path, Some(user), Some(group)).unwrap();
        }
    }

    fn command(&self, program: &str, folder: &Path) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.current_dir(folder);
        if let Some(Owner { user, group }) = self.owner {
            command.uid(user).gid(group);
        }
        command
    }
}

/// The newest of Debian's versions, or what is in `PATH`.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let newest = versions
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let version: u32 = path.file_name()?.to_str()?.parse().ok()?;
            let programs = path.join("bin");
            programs
                .join("initdb")
                .is_file()
                .then_some((version, programs))
        })
        .max();
    let programs = match newest {
        Some((_, programs)) => programs,
        None => find("initdb")?.parent()?.to_owned(),
    };
    let complete = ["initdb", "postgres", "psql"]
        .iter()
        .all(|program| programs.join(program).is_file());
    complete.then_some(programs)
}

fn owner() -> Option<Owner> {
    if !rustix::process::geteuid().is_root() {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let named = |name: &str| {
        let line = users
            .lines()
            .find(|line| line.split(':').next() == Some(name))?;
        let mut numbers = line.split(':').skip(2).map(|number| number.parse().ok());
        Some(Owner {
            user: numbers.next()??,
            group: numbers.next()??,
        })
    };
    let owner = named("postgres").or_else(|| named("nobody"));
    Some(owner.expect("a user that is not root"))
}

fn psql(url: &str, statements: &str) -> Result<String, String> {
    let programs = programs().expect("started from there");
    let done = Command::new(programs.join("psql"))
        .args([
            "-X",
            "-q",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
            "-c",
            statements,
        ])
        .arg(url)
        .env("PGCONNECT_TIMEOUT", "5")
        .output()
        .unwrap();
    if done.status.success() {
        Ok(String::from_utf8_lossy(&done.stdout).into_owned())
    } else {
        Err(String::from_utf8_lossy(&done.stderr).into_owned())
    }
}
