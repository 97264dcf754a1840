use super::*;

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn id(byte: u8) -> SessionId {
    SessionId::from_bytes([byte; 20])
}

#[tokio::test]
async fn nobody_else_can_read_the_state() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("a/state");
    let store = SqliteStore::open(&state).unwrap();
    let ending = Ending {
        id: id(1),
        keep_until: Timestamp(9),
    };
    store.revoke_session(ending).await.unwrap();
    assert_eq!(mode(&state), 0o700);
    for file in std::fs::read_dir(&state).unwrap() {
        assert_eq!(mode(&file.unwrap().path()), 0o600);
    }
}

#[test]
fn another_layout_is_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    drop(SqliteStore::open(dir.path()).unwrap());
    let connection = Connection::open(dir.path().join(FILE_NAME)).unwrap();
    connection
        .pragma_update(None, "user_version", LAYOUT + 1)
        .unwrap();
    drop(connection);
    let error = SqliteStore::open(dir.path()).err().unwrap().to_string();
    assert!(error.contains("has layout 3"), "{error}");
    std::fs::write(
        dir.path().join(FILE_NAME),
        "not a database, certainly not one",
    )
    .unwrap();
    assert!(SqliteStore::open(dir.path()).is_err());
}

#[tokio::test]
async fn a_folder_has_one_policy_server() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(dir.path()).unwrap();
    let error = SqliteStore::open(dir.path()).err().unwrap().to_string();
    assert!(error.contains("another policy server"), "{error}");
    drop(store);
    SqliteStore::open(dir.path()).unwrap();
}

#[tokio::test]
async fn without_room_or_on_a_disk_that_is_read_only_it_says_so_and_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(dir.path()).unwrap();
    for (refuse, allow) in [
        (
            "PRAGMA max_page_count = 1",
            "PRAGMA max_page_count = 1000000",
        ),
        ("PRAGMA query_only = on", "PRAGMA query_only = off"),
    ] {
        let set = |pragma: &str| {
            let connection = store.connection.lock().unwrap();
            connection.execute_batch(pragma).unwrap();
        };
        // More than fits on the pages that there are.
        let fill = || {
            let universal_id = "u".repeat(100_000);
            let store = &store;
            async move {
                store
                    .revoke_user(&universal_id, Timestamp(1), Timestamp(9))
                    .await
            }
        };
        set(refuse);
        let refused = fill().await;
        assert!(matches!(refused, Err(StoreError::NoRoom(_))), "{refused:?}");
        assert!(
            !store
                .standing(id(1), "u", Timestamp(1))
                .await
                .unwrap()
                .revoked
        );
        set(allow);
        fill().await.unwrap();
    }
}
