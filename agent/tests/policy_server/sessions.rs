//! `doorward sessions`.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::world::{World, log_in, records};

#[tokio::test]
async fn sessions_are_listed_by_pages_and_ended_by_command() {
    let world = World::start();
    let client = world.client().await;
    for _ in 0..102 {
        log_in(&client, "alice").await;
    }
    log_in(&client, "bob").await;

    let listed = world.sessions(&["list", "--json"]).await;
    assert!(listed.status.success(), "{listed:?}");
    let sessions = records(&String::from_utf8(listed.stdout).unwrap());
    let ids: BTreeSet<_> = sessions
        .iter()
        .map(|session| session["id"].to_string())
        .collect();
    assert_eq!(ids.len(), 103, "two pages, every session once");
    assert!(
        sessions.is_sorted_by_key(|session| std::cmp::Reverse(session["started"].as_u64())),
        "the newest first"
    );
    let of_bob = |session: &&Value| session["identity"]["user_name"] == "bob";
    let bob = sessions.iter().find(of_bob).unwrap();
    for (arguments, count) in [
        (&["--user", "bob"][..], 1),
        (
            &["--agent", "agent-1", "--realm", "app", "--newer-than", "1h"],
            103,
        ),
        (&["--older-than", "1h"], 0),
        (&["--agent", "agent-2"], 0),
    ] {
        let listed = world.sessions(&[&["list"], arguments].concat()).await;
        let text = String::from_utf8(listed.stdout).unwrap();
        assert_eq!(text.lines().count(), 1 + count, "{arguments:?}");
    }

    let id = bob["id"].as_str().unwrap();
    let shown = world.sessions(&["show", "--", id]).await;
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(
        (&shown["id"], &shown["limits"]["because"]),
        (&id.into(), &42.into())
    );

    // Not by leaving something out, nor together with something else.
    for arguments in [
        &["--all"][..],
        &["--yes"],
        &[],
        &["--all", "--yes", "--user", "bob"],
    ] {
        let refused = world.sessions(&[&["revoke"], arguments].concat()).await;
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}");
    }
    assert!(world.sessions(&["revoke", "--", id]).await.status.success());
    let gone = world.sessions(&["show", "--", id]).await;
    assert!(!gone.status.success());
    assert!(
        world
            .sessions(&["revoke", "--all", "--yes"])
            .await
            .status
            .success()
    );
    let listed = world.sessions(&["list", "--json"]).await;
    assert!(listed.stdout.is_empty(), "{listed:?}");
    let acts = world.acts();
    assert!(acts.contains(&String::from("revoke-all")), "{acts:?}");
}

#[tokio::test]
async fn a_session_is_used_and_noted_about_by_command() {
    let world = World::start();
    log_in(&world.client().await, "alice").await;
    let listed = world.sessions(&["list", "--json"]).await;
    let session: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let id = session["id"].as_str().unwrap();
    let ask = async |arguments: &[&str]| {
        let output = world.sessions(&[arguments, &["--", id]].concat()).await;
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        (output.status.code(), answer)
    };
    let (code, used) = ask(&["reset-idle"]).await;
    assert_eq!((code, &used["id"]), (Some(0), &session["id"]));
    assert!(used["last_access"].as_u64() >= session["last_access"].as_u64());
    let done = |properties| (Some(0), properties);
    let set = ["properties", "--set", "note=a=b", "--set", "ticket=7"];
    let both = serde_json::json!({"note": "a=b", "ticket": "7"});
    assert_eq!(ask(&set).await, done(both));
    let change = ["properties", "--remove", "note", "--set", "ticket="];
    let one = serde_json::json!({"ticket": ""});
    assert_eq!(ask(&change).await, done(one.clone()));
    for (refused, code) in [
        (&["properties", "--set", "other=1"][..], 1),
        (&["properties", "--set", "note=1", "--remove", "note"], 1),
        (&["properties", "--set", "note"], 2),
    ] {
        assert_eq!(ask(refused).await.0, Some(code), "{refused:?}");
    }
    assert_eq!(ask(&["properties"]).await, done(one));
    assert_eq!(ask(&["revoke"]).await.0, Some(0));
    assert_eq!(ask(&["reset-idle"]).await.0, Some(1));
    assert_eq!(ask(&["properties"]).await.0, Some(1));
}
