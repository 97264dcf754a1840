//! `doorward users`.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;

use policy_client::PolicyCalls as _;
use policy_protocol::Reason;
use policy_protocol::message::LoginAnswer;

use crate::world::{PASSWORD, World, log_in, login, text};

/// Runs `doorward users`; its exit code and what it printed.
async fn users(world: &World, arguments: &[&str]) -> (Option<i32>, String) {
    let output = world.command("users", arguments).await;
    (output.status.code(), text(&output.stdout))
}

#[tokio::test]
async fn a_user_who_is_locked_out_is_let_in_by_command() {
    let world = World::start_with("[regulation]\nmax_failures = 2\n");
    let client = world.client().await;
    // The last with the right password.
    for password in ["wrong", "guessed", PASSWORD] {
        let request = login("alice", password, String::from("t"));
        let refused = client.login(request).await.unwrap();
        let reason = Reason::UNKNOWN_USER;
        assert_eq!(refused, LoginAnswer::No { reason }, "{password}");
    }
    let (code, said) = users(&world, &["status", "alice"]).await;
    assert_eq!(code, Some(0));
    for line in [
        "user           alice",
        "failed logins  2",
        "lockout        for another ",
    ] {
        assert!(said.contains(line), "{said}");
    }
    log_in(&client, "bob").await;
    let (code, said) = users(&world, &["unlock", "Alice"]).await;
    assert_eq!(
        (code, said.as_str()),
        (Some(0), "failed logins forgotten\n")
    );
    log_in(&client, "alice").await;
    let (_, said) = users(&world, &["status", "alice"]).await;
    assert!(
        said.contains("failed logins  0") && said.contains("lockout        none"),
        "{said}"
    );
    let (code, said) = users(&world, &["status", "nobody"]).await;
    assert_eq!(code, Some(0));
    assert!(said.contains("in no directory"), "{said}");
    assert_eq!(users(&world, &["unlock"]).await.0, Some(2));
    let acts = world.acts();
    assert!(acts.contains(&String::from("unlock-user")), "{acts:?}");
}

#[tokio::test]
async fn a_second_factor_is_given_and_taken_by_command() {
    let world = World::start();
    let out = world.path("second-factor");
    let out = out.to_str().unwrap();
    let enrol = ["second-factor", "enrol", "alice", "--no-qr", "--out", out];
    let (code, said) = users(&world, &enrol).await;
    assert_eq!(code, Some(0));
    let told = world.read("second-factor");
    assert!(
        told.contains("otpauth://totp/") && told.contains("recovery codes"),
        "{told}"
    );
    assert!(!said.contains("otpauth"), "{said}");
    let mode = std::fs::metadata(out).unwrap().permissions().mode();
    assert_eq!(
        Permissions::from_mode(mode & 0o777),
        Permissions::from_mode(0o600)
    );
    let (code, said) = users(&world, &["second-factor", "status", "alice"]).await;
    assert_eq!(code, Some(0));
    assert!(said.contains("10 recovery codes left"), "{said}");
    for (arguments, code) in [
        (&["second-factor", "enrol", "alice", "--no-qr"][..], 1),
        (&["second-factor", "enrol", "nobody", "--no-qr"], 1),
        (&["second-factor", "remove", "alice"], 0),
        (&["second-factor", "remove", "alice"], 1),
        (&["second-factor"], 2),
    ] {
        assert_eq!(
            users(&world, arguments).await.0,
            Some(code),
            "{arguments:?}"
        );
    }
}
