//! Valkey, or Redis, which is the same for us.

use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use crate::folder::Folder;
use crate::process::{Process, controlled};
use crate::{Certificate, find, or_skip, port, random_password};

/// A server with an append-only file, a password and no eviction.
#[derive(Debug)]
pub struct Valkey {
    process: Process,
    port: u16,
    tls: Option<Tls>,
    password: String,
}

#[derive(Debug)]
struct Tls {
    port: u16,
    certificate: Certificate,
}

controlled!(Valkey);

impl Valkey {
    /// A new, empty server that writes to disk before it answers; nothing if the program is missing.
    pub fn start() -> Option<Self> {
        Self::start_with(&[])
    }

    /// The same, with further directives of its configuration, such as `("appendfsync", "everysec")`.
    pub fn start_with(directives: &[(&str, &str)]) -> Option<Self> {
        Self::launch(directives, false)
    }

    /// The same, with a second port for TLS.
    pub fn start_tls() -> Option<Self> {
        Self::launch(&[], true)
    }

    fn launch(directives: &[(&str, &str)], tls: bool) -> Option<Self> {
        let program = find("valkey-server").or_else(|| find("redis-server"));
        let program = or_skip(program, "valkey-server or redis-server", "redis-server")?;
        // Somebody may take the port between our look and its start.
        for _ in 0..10 {
            let folder = Folder::new();
            let password = random_password();
            let port = port::free();
            let mut config = format!(
                "bind 127.0.0.1\nport {port}\nrequirepass {password}\nmaxmemory-policy noeviction\n\
                 save \"\"\nappendonly yes\nappendfsync always\ndaemonize no\n"
            );
            for (name, value) in directives {
                writeln!(config, "{name} {value}").unwrap();
            }
            let tls = tls.then(|| Tls {
                port: port::free(),
                certificate: Certificate::new(),
            });
            if let Some(Tls { port, certificate }) = &tls {
                let write = |name: &str, text: &str| fs::write(folder.path().join(name), text);
                write("ca.pem", &certificate.ca_pem).unwrap();
                write("cert.pem", &certificate.cert_pem).unwrap();
                write("key.pem", &certificate.key_pem).unwrap();
                writeln!(
                    config,
                    "tls-port {port}\ntls-auth-clients no\ntls-ca-cert-file ca.pem\n\
                     tls-cert-file cert.pem\ntls-key-file key.pem"
                )
                .unwrap();
            }
            fs::write(folder.path().join("server.conf"), config).unwrap();
            let mut command = Command::new(&program);
            command.arg("server.conf");
            let mut valkey = Self {
                process: Process::new(command, folder),
                port,
                tls,
                password,
            };
            if valkey.run() {
                return Some(valkey);
            }
            let output = valkey.process.output();
            assert!(output.contains("in use"), "{output}");
        }
        panic!("no port is free");
    }

    /// Whether the program is installed. If not, says so as `start` does.
    pub fn available() -> bool {
        let program = find("valkey-server").or_else(|| find("redis-server"));
        or_skip(program, "valkey-server or redis-server", "redis-server").is_some()
    }

    /// Where it listens, without TLS.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// `redis://` with the password.
    pub fn url(&self) -> String {
        format!("redis://:{}@{}/", self.password, self.address())
    }

    /// Where it listens with TLS.
    ///
    /// # Panics
    /// If it was not started with TLS.
    pub fn tls_address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.tls().port).into()
    }

    /// `rediss://` with the password.
    ///
    /// # Panics
    /// If it was not started with TLS.
    pub fn tls_url(&self) -> String {
        format!("rediss://:{}@{}/", self.password, self.tls_address())
    }

    /// Its certificate.
    ///
    /// # Panics
    /// If it was not started with TLS.
    pub fn certificate(&self) -> &Certificate {
        &self.tls().certificate
    }

    fn tls(&self) -> &Tls {
        self.tls.as_ref().expect("started with TLS")
    }

    /// The password of the default user.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// Sends a command, and returns the answer as it comes (RESP2).
    ///
    /// # Errors
    /// If it is not there, or does not answer within a second.
    pub fn command(&self, words: &[&str]) -> std::io::Result<String> {
        command(self.address(), &self.password, words)
    }

    /// Starts it again with the same port and nothing in it.
    ///
    /// # Panics
    /// If it does not start.
    pub fn wipe(&mut self) {
        self.kill();
        let data = self.process.folder().path().join("appendonlydir");
        if data.exists() {
            fs::remove_dir_all(data).unwrap();
        }
        self.restart();
    }

    fn run(&mut self) -> bool {
        let address: SocketAddr = self.address();
        let password = &self.password;
        self.process.start(|| {
            // While it reads its file it refuses with -LOADING.
            command(address, password, &["PING"]).is_ok_and(|answer| answer.starts_with("+PONG"))
        })
    }
}

fn command(address: SocketAddr, password: &str, words: &[&str]) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    for words in [&["AUTH", password], words, &["QUIT"]] {
        let mut request = format!("*{}\r\n", words.len());
        for word in words {
            write!(request, "${}\r\n{word}\r\n", word.len()).unwrap();
        }
        stream.write_all(request.as_bytes())?;
    }
    let mut answers = String::new();
    stream.read_to_string(&mut answers)?;
    // First the one to AUTH, at last the one to QUIT.
    let answer = answers
        .strip_prefix("+OK\r\n")
        .and_then(|rest| rest.strip_suffix("+OK\r\n"));
    answer
        .map(String::from)
        .ok_or_else(|| std::io::Error::other(answers))
}
