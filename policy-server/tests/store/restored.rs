//! That a restored backup, treated as the book says, lets nobody in who has logged out since.
//!
//! The commands are the book's own: a change there that is not made here fails.

use policy_protocol::Secret;
use policy_server::store::sqlite::SqliteStore;
use policy_server::store::{RecordChange, RecordKind, Store};

use crate::engines::{EXPIRES, NOW, ending, id, session};

const BOOK: &str = include_str!("../../../docs/src/operate/backup.md");

/// The line of the book that has this beginning, without it.
fn book(beginning: &str) -> &'static str {
    let line = BOOK.lines().find_map(|line| line.strip_prefix(beginning));
    line.unwrap_or_else(|| panic!("the book has no line that begins with {beginning}"))
}

/// What is in the store when the backup is made.
async fn before(store: &dyn Store) -> String {
    for (kind, name) in [(RecordKind::Keys, "keys"), (RecordKind::Agent, "gateway")] {
        let change = RecordChange {
            kind,
            name: String::from(name),
            value: Some(Secret::new(vec![1, 2, 3])),
            expected: 0,
            expires: None,
            announce: None,
        };
        assert!(store.change_record(change).await.unwrap());
    }
    let session = session(1, "alice", 0);
    let margin = std::time::Duration::ZERO;
    let inserted = store.insert(session, Vec::new(), None, margin, NOW);
    inserted.await.unwrap();
    store.identity()
}

/// The user logs out after it.
async fn after(store: &dyn Store) {
    assert!(store.revoke_session(ending(1)).await.unwrap());
    assert!(store.standing(id(1), "alice", NOW).await.unwrap().revoked);
}

/// The restored store has forgotten the logout, and it does not matter.
async fn restored(store: &dyn Store, identity: &str) {
    assert!(!store.standing(id(1), "alice", NOW).await.unwrap().revoked);
    assert_ne!(store.identity(), identity);
    let record = async |kind, name| store.record(kind, name).await.unwrap();
    // Without the keys nobody can open what was sealed with them.
    assert_eq!(record(RecordKind::Keys, "keys").await, None);
    assert!(record(RecordKind::Agent, "gateway").await.is_some());
    // It is a working store: keys are made anew, and sessions end.
    let change = RecordChange {
        kind: RecordKind::Keys,
        name: String::from("keys"),
        value: Some(Secret::new(vec![4])),
        expected: 0,
        expires: Some(EXPIRES),
        announce: None,
    };
    assert!(store.change_record(change).await.unwrap());
    after(store).await;
}

#[tokio::test]
async fn sqlite_restored_from_a_copy_made_while_it_runs_lets_no_old_session_in() {
    let (live, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (file, copy) = (
        live.path().join("policy-server.sqlite"),
        new.path().join("policy-server.sqlite"),
    );
    let store = SqliteStore::open(live.path()).unwrap();
    let identity = before(&store).await;
    let run = |file: &std::path::Path, statements: &str| {
        let connection = rusqlite::Connection::open(file).unwrap();
        connection.execute_batch(statements).unwrap();
    };
    let backup = book("sqlite3 /var/lib/doorward/policy-server.sqlite \"VACUUM");
    let backup = format!("VACUUM{}", backup.trim_end_matches('"'));
    let into = copy.display().to_string();
    run(
        &file,
        &backup.replace("/backup/policy-server.sqlite", &into),
    );
    after(&store).await;
    let forget = book("sqlite3 /var/lib/doorward/policy-server.sqlite \"DELETE");
    run(&copy, &format!("DELETE{}", forget.trim_end_matches('"')));
    restored(&SqliteStore::open(new.path()).unwrap(), &identity).await;
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn postgres_restored_from_a_dump_lets_no_old_session_in() {
    use policy_server::store::postgres::PostgresStore;
    use std::process::Command;

    let Some(server) = test_services::Postgres::shared() else {
        return;
    };
    let [live, new] = [server.database(), server.database()];
    let open = async |url: &str| {
        let settings = crate::postgres::settings(server, url);
        PostgresStore::open(&settings).await.unwrap()
    };
    let run = |line: &str, url: &str, file: &std::path::Path| {
        let words = line.split_whitespace().map(|word| match word {
            "DATABASE" => url.to_owned(),
            "/backup/doorward.dump" => file.display().to_string(),
            word => word.to_owned(),
        });
        let words: Vec<_> = words.collect();
        let done = Command::new(&words[0]).args(&words[1..]).status();
        assert!(done.unwrap().success(), "{line}");
    };
    let store = open(&live).await;
    let identity = before(&store).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("dump");
    let line = |program: &str| format!("{program}{}", book(program));
    run(&line("pg_dump "), &live, &file);
    after(&store).await;
    // The tables of the store that is replaced are there.
    before(&open(&new).await).await;
    run(&line("pg_restore "), &new, &file);
    let forget = book("psql DATABASE -c \"").trim_end_matches('"');
    server.sql(&new, forget).unwrap();
    restored(&open(&new).await, &identity).await;
}

#[cfg(feature = "valkey")]
#[tokio::test]
async fn valkey_restored_from_its_files_lets_no_old_session_in() {
    use policy_server::store::valkey::ValkeyStore;
    use std::process::Command;

    let Some(mut server) = test_services::Valkey::start() else {
        return;
    };
    let open = async |server: &test_services::Valkey| {
        let settings = crate::valkey::settings(server.url(), server);
        ValkeyStore::open(&settings).await.unwrap()
    };
    let tell = |server: &test_services::Valkey, line: &str| {
        let words: Vec<_> = line
            .split_whitespace()
            .map(|word| word.trim_matches('\''))
            .collect();
        server.command(&words).unwrap()
    };
    let copy = |from: &std::path::Path, to: &std::path::Path| {
        let done = Command::new("cp").arg("-a").args([from, to]).status();
        assert!(done.unwrap().success());
    };
    let store = open(&server).await;
    let identity = before(&store).await;
    let backup = tempfile::tempdir().unwrap();
    let data = server.folder().join("appendonlydir");
    let hold = book("valkey-cli CONFIG SET auto-aof-rewrite-percentage 0");
    assert_eq!(hold, "");
    tell(&server, "CONFIG SET auto-aof-rewrite-percentage 0");
    copy(&data, backup.path());
    after(&store).await;
    drop(store);
    server.kill();
    std::fs::remove_dir_all(&data).unwrap();
    copy(&backup.path().join("appendonlydir"), server.folder());
    server.restart();
    let forgotten = tell(&server, &format!("DEL {}", book("valkey-cli DEL ")));
    assert_eq!(forgotten, ":3\r\n");
    restored(&open(&server).await, &identity).await;
}
