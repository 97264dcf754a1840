//! Servers that end, hang, and come back.

use std::time::{Duration, Instant};

use policy_server::directory::{Authentication, DirectoryError};

use crate::harness::{PASSWORD, World, eventually, people, person, section, slapd};

const SETTINGS: &str = "timeout = \"1s\"\ncache = \"0s\"";

#[tokio::test]
async fn a_server_that_was_restarted_is_asked_again_at_once() {
    let Some(mut slapd) = slapd(&people()) else {
        return;
    };
    let world = World::new(&slapd, SETTINGS);
    let alice = world.log_in("alice").await;
    slapd.restart();
    // The connections are all broken, and nobody notices.
    assert!(world.find(&alice).await.unwrap().is_some());
    assert_eq!(world.log_in("alice").await, alice);
    slapd.kill();
    assert_eq!(
        world.ask("alice", PASSWORD).await,
        Err(DirectoryError::Failure)
    );
    assert_eq!(
        world.ask("nobody", PASSWORD).await,
        Err(DirectoryError::Failure)
    );
    assert_eq!(world.find(&alice).await, Err(DirectoryError::Failure));
    slapd.restart();
    assert_eq!(world.log_in("alice").await, alice);
}

#[tokio::test]
async fn a_server_that_hangs_costs_its_time_limit_and_no_more() {
    let Some(slapd) = slapd(&people()) else {
        return;
    };
    let world = World::new(&slapd, SETTINGS);
    let alice = world.log_in("alice").await;
    slapd.pause();
    let start = Instant::now();
    let asked = futures_util::future::join_all((0..30).map(|_| world.find(&alice))).await;
    assert!(asked.iter().all(Result::is_err), "{asked:?}");
    // One waits for a connection, another for the answer, and perhaps once more on a new connection.
    assert!(
        start.elapsed() < Duration::from_secs(8),
        "{:?}",
        start.elapsed()
    );
    slapd.resume();
    eventually("an answer", async || world.find(&alice).await.is_ok()).await;
    assert_eq!(world.log_in("alice").await, alice);
}

#[tokio::test]
async fn the_second_server_is_asked_while_the_first_is_down_and_no_longer() {
    let (Some(mut first), Some(second)) = (
        slapd(&person("alice", "mail: first@example.com\n")),
        slapd(&person("alice", "mail: second@example.com\n")),
    ) else {
        return;
    };
    let urls = [first.tls_url(), second.tls_url()];
    let settings = format!("{SETTINGS}\nattributes = [\"mail\"]\nca_file = \"both.pem\"");
    let text = section("staff", &urls, &first, &settings);
    let world = World::with(&text, |dir| {
        let both = [&first, &second].map(|slapd| slapd.certificate().ca_pem.clone());
        std::fs::write(dir.path().join("both.pem"), both.concat()).unwrap();
    });
    let who = async || world.log_in("alice").await.attributes["mail"][0].clone();
    assert_eq!(who().await, "first@example.com");
    first.kill();
    assert_eq!(who().await, "second@example.com");
    first.restart();
    eventually("the first server to be asked", async || {
        who().await == "first@example.com"
    })
    .await;
    first.pause();
    let start = Instant::now();
    assert_eq!(who().await, "second@example.com");
    assert!(
        start.elapsed() < Duration::from_secs(6),
        "{:?}",
        start.elapsed()
    );
    let start = Instant::now();
    for _ in 0..5 {
        assert_eq!(who().await, "second@example.com");
    }
    assert!(
        start.elapsed() < Duration::from_secs(1),
        "only the first call waits: {:?}",
        start.elapsed()
    );
    first.resume();
    eventually("the first server to be asked", async || {
        who().await == "first@example.com"
    })
    .await;
}

#[tokio::test]
async fn users_of_a_second_directory_wait_for_the_first_to_answer() {
    let (Some(mut first), Some(second)) = (
        slapd(&person("alice", "mail: first@example.com\n")),
        slapd(&format!("{}{}", person("alice", ""), person("zoe", ""))),
    ) else {
        return;
    };
    let text = section("first", &[first.tls_url()], &first, SETTINGS)
        + &section("second", &[second.tls_url()], &second, SETTINGS);
    let world = World::of(&text);
    assert_eq!(world.log_in("alice").await.directory.name, "first");
    let zoe = world.log_in("zoe").await;
    assert_eq!(zoe.directory.name, "second");
    first.kill();
    for name in ["alice", "zoe", "nobody"] {
        assert_eq!(
            world.ask(name, PASSWORD).await,
            Err(DirectoryError::Failure),
            "{name}"
        );
    }
    // A session of the second directory does not need the first.
    assert!(world.find(&zoe).await.unwrap().is_some());
    first.restart();
    assert_eq!(world.log_in("zoe").await.directory.name, "second");
    assert_eq!(
        world.ask("nobody", PASSWORD).await,
        Ok(Authentication::UnknownUser)
    );
}

/// A server that comes back without its data does not say that nobody is there.
#[tokio::test]
async fn a_server_without_its_data_is_no_answer() {
    let Some(slapd) = slapd(&people()) else {
        return;
    };
    let world = World::new(&slapd, SETTINGS);
    let alice = world.log_in("alice").await;
    let text = section("staff", &[slapd.tls_url()], &slapd, SETTINGS);
    let elsewhere = World::of(&text.replace("ou=people,", "ou=nowhere,"));
    assert_eq!(
        elsewhere.ask("alice", PASSWORD).await,
        Err(DirectoryError::Failure)
    );
    assert_eq!(elsewhere.find(&alice).await, Err(DirectoryError::Failure));
}
