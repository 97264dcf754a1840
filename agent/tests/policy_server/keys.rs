//! `doorward keys`.

use policy_client::PolicyCalls as _;

use crate::world::{World, text};

/// Runs `doorward keys`; its exit code, what it printed and what it complained of.
async fn keys(world: &World, arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = world.command("keys", arguments).await;
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

async fn line_of_agent(world: &World) -> String {
    let (code, said, _) = keys(world, &["status"]).await;
    assert_eq!(code, Some(0));
    let mut lines = said.lines().filter(|line| line.starts_with("agent-1 "));
    let line = lines.next().unwrap().to_owned();
    assert_eq!(lines.next(), None);
    line
}

#[tokio::test]
async fn keys_are_rolled_over_by_command_and_agents_that_are_behind_named() {
    let world = World::start();
    let (code, before, _) = keys(&world, &["list"]).await;
    assert_eq!(code, Some(0));
    assert!(
        before.starts_with("version ") && before.contains("(first keys)"),
        "{before}"
    );
    let (code, _, complaint) = keys(&world, &["roll"]).await;
    assert_eq!((code, complaint.as_str()), (Some(0), ""), "nobody listens");
    let (_, after, _) = keys(&world, &["list"]).await;
    assert!(
        after.contains("(by command)") && after.contains("previous"),
        "{after}"
    );

    let agent = world.client().await;
    let events = agent.events(None).await.unwrap();
    assert!(line_of_agent(&world).await.ends_with("lacks the next key"));
    let (code, said, complaint) = keys(&world, &["roll"]).await;
    assert_eq!((code, said.as_str()), (Some(1), ""));
    assert!(
        complaint.contains("nothing was changed") && complaint.contains("agent-1 at 127.0.0.1:"),
        "{complaint}"
    );
    assert_eq!(keys(&world, &["list"]).await.1, after);

    agent.agent_keys().await.unwrap();
    let line = line_of_agent(&world).await;
    assert!(
        !line.ends_with("key") && !line.ends_with("behind"),
        "{line}"
    );
    assert_eq!(keys(&world, &["roll"]).await.0, Some(0));
    assert!(line_of_agent(&world).await.ends_with("lacks the next key"));
    assert_eq!(keys(&world, &["roll"]).await.0, Some(1));
    assert_eq!(keys(&world, &["roll", "--force"]).await.0, Some(0));
    assert!(
        keys(&world, &["list"])
            .await
            .1
            .contains("(by command, forced)")
    );

    // The static key seals at once: nobody is waited for, and who has not fetched it is seen.
    agent.agent_keys().await.unwrap();
    assert_eq!(keys(&world, &["roll", "--static"]).await.0, Some(0));
    assert!(line_of_agent(&world).await.ends_with("is behind"));
    agent.agent_keys().await.unwrap();
    let line = line_of_agent(&world).await;
    assert!(!line.ends_with("behind"), "{line}");
    drop(events);

    let secret = world.path("secret").display().to_string();
    for (arguments, code) in [
        (&["roll", "--static", "--next-key-file", &secret][..], 2),
        (&["roll", "--next-key-file", &secret], 1),
        (&["roll", "--next-key-file", "absent"], 1),
        (&[], 2),
    ] {
        assert_eq!(keys(&world, arguments).await.0, Some(code), "{arguments:?}");
    }
    let made = keys(&world, &["generate-master"]).await.1;
    assert_ne!(made, keys(&world, &["generate-master"]).await.1);
    let acts = world.acts();
    for act in ["show-keys", "roll-keys"] {
        assert!(acts.contains(&act.to_owned()), "{acts:?}");
    }
}
