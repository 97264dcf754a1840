//! That the servers can be lost and found as tests need it.

#![allow(clippy::unwrap_used)] // also in helpers

use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use test_services::{Postgres, Slapd, Valkey};

const LDIF: &str = "dn: dc=example,dc=com
objectClass: dcObject
objectClass: organization
dc: example
o: Example
";

#[test]
fn valkey_keeps_what_it_was_told_when_it_is_killed_and_nothing_when_it_is_wiped() {
    let Some(mut valkey) = Valkey::start() else {
        return;
    };
    assert_eq!(valkey.command(&["SET", "a", "1"]).unwrap(), "+OK\r\n");
    valkey.kill();
    valkey.command(&["GET", "a"]).unwrap_err();
    valkey.restart();
    assert_eq!(valkey.command(&["GET", "a"]).unwrap(), "$1\r\n1\r\n");
    valkey.pause();
    valkey.command(&["GET", "a"]).unwrap_err();
    valkey.resume();
    assert_eq!(valkey.command(&["GET", "a"]).unwrap(), "$1\r\n1\r\n");
    valkey.wipe();
    assert_eq!(valkey.command(&["GET", "a"]).unwrap(), "$-1\r\n");
}

#[test]
fn valkey_has_a_port_for_tls() {
    let Some(valkey) = Valkey::start_tls() else {
        return;
    };
    TcpStream::connect(valkey.tls_address()).unwrap();
    assert!(valkey.tls_url().starts_with("rediss://:"));
    assert!(valkey.certificate().ca_pem.contains("CERTIFICATE"));
}

#[test]
fn postgres_keeps_what_it_was_told_when_it_is_killed_and_nothing_when_it_is_wiped() {
    let Some(mut postgres) = Postgres::start() else {
        return;
    };
    let url = postgres.database();
    let fill = "CREATE TABLE t (n int); INSERT INTO t VALUES (7)";
    postgres.sql(&url, fill).unwrap();
    postgres.kill();
    postgres.sql(&url, "SELECT n FROM t").unwrap_err();
    postgres.restart();
    assert_eq!(postgres.sql(&url, "SELECT n FROM t").unwrap(), "7\n");
    postgres.pause();
    assert!(
        postgres.sql(&url, "SELECT n FROM t").is_err(),
        "a stopped server answered"
    );
    postgres.resume();
    assert_eq!(postgres.sql(&url, "SELECT n FROM t").unwrap(), "7\n");
    postgres.wipe();
    postgres.sql(&url, "SELECT n FROM t").unwrap_err();
    assert_eq!(postgres.sql(&postgres.url(), "SELECT 1").unwrap(), "1\n");
}

#[test]
fn postgres_speaks_tls_and_checks_passwords() {
    let Some(postgres) = Postgres::shared() else {
        return;
    };
    let url = postgres.database();
    let ca = postgres.ca_file();
    let checked = format!("{url}?sslmode=verify-full&sslrootcert={}", ca.display());
    let query = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    assert_eq!(postgres.sql(&checked, query).unwrap(), "t\n");
    let wrong = url.replace(postgres.password(), "wrong");
    assert!(
        postgres
            .sql(&wrong, query)
            .unwrap_err()
            .contains("password")
    );
}

#[test]
fn slapd_has_the_entries_it_was_given_and_loses_later_ones_when_it_is_wiped() {
    let Some(mut slapd) = Slapd::start(LDIF) else {
        return;
    };
    let add = "dn: ou=people,dc=example,dc=com\nchangetype: add\nobjectClass: organizationalUnit\n";
    slapd.modify(add).unwrap();
    slapd.kill();
    slapd.modify(add).unwrap_err();
    slapd.restart();
    let twice = slapd.modify(add).unwrap_err();
    assert!(twice.contains("Already exists"), "{twice}");
    slapd.pause();
    slapd.resume();
    slapd.wipe();
    slapd.modify(add).unwrap();
    for url in [slapd.url(), slapd.tls_url()] {
        let start_tls = if url.starts_with("ldaps") {
            "-x"
        } else {
            "-ZZ"
        };
        let found = Command::new("ldapsearch")
            .args([
                "-x",
                start_tls,
                "-LLL",
                "-b",
                Slapd::SUFFIX,
                "-H",
                &url,
                "1.1",
            ])
            .env("LDAPTLS_CACERT", slapd.ca_file())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&found.stdout).into_owned();
        assert_eq!(text.matches("dn: ").count(), 2, "{found:?}");
    }
}

/// Runs itself as a process that is killed while its servers run, or are stopped.
#[test]
fn servers_and_their_folders_end_with_the_process_even_if_it_is_killed() {
    if let Ok(file) = std::env::var("SERVICES_VICTIM") {
        let valkey = Valkey::start().unwrap();
        let postgres = Postgres::start().unwrap();
        postgres.pause();
        let (valkey, postgres) = (valkey.address(), postgres.ca_file());
        std::fs::write(file, format!("{valkey}\n{}", postgres.display())).unwrap();
        loop {
            std::thread::park();
        }
    }
    if !Valkey::available() || !Postgres::available() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("servers");
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "servers_and_their_folders_end_with_the_process_even_if_it_is_killed",
        ])
        .env("SERVICES_VICTIM", &file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let servers = eventually(|| {
        let text = std::fs::read_to_string(&file).ok()?;
        let (valkey, postgres) = text.split_once('\n')?;
        let postgres = std::path::PathBuf::from(postgres);
        postgres.exists().then(|| (valkey.to_owned(), postgres))
    });
    let (valkey, postgres) = servers;
    TcpStream::connect(&valkey).unwrap();
    victim.kill().unwrap();
    victim.wait().unwrap();
    eventually(|| TcpStream::connect(&valkey).is_err().then_some(()));
    eventually(|| (!postgres.parent().unwrap().exists()).then_some(()));
}

fn eventually<T>(mut check: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = check() {
            return found;
        }
        assert!(start.elapsed() < Duration::from_secs(60), "in vain");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}
