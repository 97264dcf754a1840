use std::os::unix::fs::PermissionsExt;

use futures_util::StreamExt as _;
use policy_protocol::event::SILENCE;
use policy_protocol::message::{Credentials, LoginRequest};
use policy_protocol::{EventKind, RealmContext, Reason, ResourceContext, SessionId};

use super::*;

fn realm(scheme: AuthScheme, level: u16) -> RealmContext {
    RealmContext {
        name: String::from("intranet"),
        protection_level: ProtectionLevel(level),
        auth_scheme: scheme,
        idle_timeout: Duration::from_secs(600),
        max_timeout: Duration::from_secs(7200),
        persistent: true,
    }
}

#[test]
fn an_id_says_how_a_session_was_begun_here_and_nothing_of_one_begun_there() {
    for scheme in [AuthScheme::Form, AuthScheme::Basic] {
        for level in [0, 5, 1000] {
            let id = begun_here(ForeignKind::Am, "token", &realm(scheme, level));
            assert_eq!(how_begun(id), Some((scheme, ProtectionLevel(level))));
        }
    }
    let there = ticket(ForeignKind::Am, b"token").unwrap();
    assert_eq!(how_begun(there.session_id), None);
    assert_eq!(there.session_spec.as_str(), "token");
}

#[test]
fn ids_of_different_systems_tokens_and_beginnings_differ() {
    let there = |kind, token: &str| ticket(kind, token.as_bytes()).unwrap().session_id;
    let form = realm(AuthScheme::Form, 5);
    let ids = [
        there(ForeignKind::Am, "a"),
        there(ForeignKind::VSphere, "a"),
        there(ForeignKind::AuthAz, "a"),
        there(ForeignKind::Am, "b"),
        begun_here(ForeignKind::Am, "a", &form),
    ];
    let different: std::collections::HashSet<SessionId> = ids.into_iter().collect();
    assert_eq!(different.len(), ids.len());
    assert_eq!(there(ForeignKind::Am, "a"), ids[0]);
}

#[test]
fn what_cannot_be_a_token_makes_no_ticket() {
    let longest = "x".repeat(SessionSpec::MAX_LENGTH);
    assert!(ticket(ForeignKind::Am, longest.as_bytes()).is_some());
    assert!(ticket(ForeignKind::Am, b"AQIC5w*.Tk-_~|=+/").is_some());
    let long = format!("{longest}x");
    for text in [
        "", "a b", "a;b", "a,b", "a\"b", "a\\b", "a\u{7f}", "\u{e9}", &long,
    ] {
        assert!(
            ticket(ForeignKind::Am, text.as_bytes()).is_none(),
            "{text:.9}"
        );
    }
    assert!(ticket(ForeignKind::Am, b"\xff").is_none());
}

#[test]
fn moments_are_read_however_exactly_they_are_told() {
    let told = Some(Timestamp(1_795_255_200));
    for text in [
        "2026-11-21T10:00:00Z",
        "2026-11-21T10:00:00.000Z",
        "2026-11-21T10:00:00.999999999Z",
        "2026-11-21T10:00:00+00:00",
        "2026-11-21T12:00:00.5+02:00",
        "2026-11-21T10:00:00",
    ] {
        assert_eq!(moment(text), told, "{text}");
    }
    assert_eq!(moment("1969-12-31T23:59:59Z"), Some(Timestamp(0)));
    for text in ["", "yesterday", "2026-13-01T00:00:00Z", "1795255200"] {
        assert_eq!(moment(text), None, "{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn quiet_events_are_a_hello_and_heartbeats_that_come_before_anybody_doubts() {
    let mut events = quiet_events::stream("store");
    let first = events.next().await.unwrap().unwrap();
    assert_eq!(first.kind, EventKind::Hello { gap: false });
    for _ in 0..3 {
        let next = tokio::time::timeout(SILENCE / 2, events.next()).await;
        let event = next.unwrap().unwrap().unwrap();
        assert_eq!(event.kind, EventKind::Heartbeat);
        assert_eq!(event.position, first.position);
    }
}

#[test]
fn the_key_file_is_made_once_and_read_ever_after() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("agent-keys");
    let made = key_file::open(Some(&file)).unwrap();
    assert_eq!(key_file::open(Some(&file)).unwrap(), made);
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // Nothing is left beside it.
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    assert_ne!(key_file::open(None).unwrap(), made);
}

/// Threads have one process id, as agents in containers have.
#[test]
fn agents_that_start_at_once_have_the_same_keys() {
    for _ in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("agent-keys");
        let together = std::sync::Barrier::new(8);
        let open = || {
            together.wait();
            key_file::open(Some(&file))
        };
        let sets = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
            let ends = starts.into_iter().map(|start| start.join().unwrap());
            ends.collect::<Result<Vec<_>, _>>().unwrap()
        });
        assert!(sets.iter().all(|set| *set == sets[0]));
        assert_eq!(key_file::open(Some(&file)).unwrap(), sets[0]);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

#[test]
fn what_a_start_that_was_cut_off_has_left_is_in_nobodys_way() {
    let folder = tempfile::tempdir().unwrap();
    let left = folder
        .path()
        .join(format!("agent-keys.{}", std::process::id()));
    std::fs::write(&left, "cut o").unwrap();
    key_file::open(Some(&folder.path().join("agent-keys"))).unwrap();
    assert!(left.exists());
}

#[test]
fn a_key_file_that_others_read_or_that_holds_none_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("agent-keys");
    let refused = |text: &str| {
        let error = key_file::open(Some(&file)).unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    };
    key_file::open(Some(&file)).unwrap();
    let mode = |mode| std::fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
    mode(0o640);
    refused("chmod 600");
    mode(0o600);
    std::fs::write(&file, "{}").unwrap();
    refused("does not hold agent keys");
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    refused("not a regular file");
}

#[test]
fn only_a_name_and_a_password_can_be_checked_there() {
    let request = |scheme, new_password: Option<&str>, code: Option<&str>| LoginRequest {
        resource: ResourceContext {
            agent: String::from("doorward"),
            server: String::from("app.example.com"),
            resource: String::from("/"),
            action: String::from("GET"),
        },
        realm: realm(scheme, 5),
        credentials: Credentials::Password {
            user_name: String::from("alice"),
            password: Secret::new(String::from("a password")),
            new_password: new_password.map(|text| Secret::new(text.to_owned())),
            code: code.map(|text| Secret::new(text.to_owned())),
        },
        client_address: None,
        previous: Vec::new(),
        transaction_id: String::from("t"),
    };
    let form = request(AuthScheme::Form, None, None);
    assert_eq!(name_and_password(&form).unwrap().0, "alice");
    let refused = |scheme, new, code| name_and_password(&request(scheme, new, code)).unwrap_err();
    let unsupported = Reason::UNSUPPORTED_SCHEME;
    assert_eq!(refused(AuthScheme::Totp, None, None), unsupported);
    assert_eq!(refused(AuthScheme::Form, None, Some("123456")), unsupported);
    assert_eq!(
        refused(AuthScheme::Form, Some("new"), None),
        Reason::PASSWORD_CHANGE_FAILED
    );
}

#[test]
fn what_others_say_reaches_the_log_bounded_and_on_one_line() {
    assert_eq!(for_log("SERVER\r\nERROR\u{1b}[0m"), "SERVERERROR[0m");
    assert_eq!(for_log(&"x".repeat(1 << 20)).len(), MAX_LOGGED);
}

#[tokio::test(start_paused = true)]
async fn all_parts_of_a_call_share_its_deadline() {
    let begun = tokio::time::Instant::now();
    let deadline = Deadline::after(Duration::from_secs(5));
    let part = || async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        Ok(())
    };
    assert_eq!(deadline.hold(part()).await, Ok(()));
    assert_eq!(deadline.hold(part()).await, Err(PolicyError::TimedOut));
    assert!(begun.elapsed() < Duration::from_secs(6));
    // What is left to do afterwards has a time of its own.
    let (done, mut ended) = tokio::sync::oneshot::channel();
    clean_up(async {
        part().await.ok();
        done.send(()).ok();
        Ok(())
    })
    .await;
    assert!(ended.try_recv().is_err());
    assert!(begun.elapsed() < Duration::from_secs(8));
}
