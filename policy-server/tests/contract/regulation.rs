//! What guessing costs, and that it tells nothing.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use policy_protocol::Reason;
use policy_protocol::message::{Credentials, LoginAnswer, LoginRequest};

use crate::harness::{ADMIN_SECRET, PASSWORD, World, address, alive, login_request, realm};

crate::for_both!(
    all_spellings_of_a_name_are_counted_as_one,
    guesses_at_the_same_time_get_no_more_tries,
    unknown_and_known_users_are_alike_in_answer_and_time,
    a_lockout_ends_by_the_clock_and_stops_no_session,
    an_administrator_ends_a_lockout,
    guesses_from_elsewhere_do_not_lock_out_where_a_user_was_before,
    a_network_has_so_many_failures_over_all_names,
    who_is_locked_out_may_be_told,
    many_logins_of_one_user_at_once_all_succeed,
    a_lockout_outlives_a_restart,
    names_that_were_typed_are_nowhere,
);

const LOCKOUT: Duration = Duration::from_mins(15);
const HOME: &str = "192.0.2.1";
const ELSEWHERE: &str = "198.51.100.7";

/// A login with a password, from an address.
async fn try_from(world: &World, user: &str, password: &str, from: &str) -> LoginAnswer {
    let request = LoginRequest {
        client_address: Some(address(from)),
        ..login_request(Credentials::password(user, password), &realm(), None)
    };
    world.login_of(request).await
}

/// Ten failures, as fast as they are looked at.
async fn lock_out(world: &World, user: &str, from: &str) {
    for cost in [0, 0, 0, 1, 2, 4, 8, 8, 8, 0] {
        assert_eq!(try_from(world, user, "wrong", from).await, refused());
        world.clock.advance(Duration::from_secs(cost));
    }
}

const fn refused() -> LoginAnswer {
    LoginAnswer::No {
        reason: Reason::UNKNOWN_USER,
    }
}

fn is_in(answer: &LoginAnswer) -> bool {
    matches!(answer, LoginAnswer::Yes { .. })
}

async fn all_spellings_of_a_name_are_counted_as_one(world: World) {
    let spellings = ["alice", "ALICE", " Alice ", "ａｌｉｃｅ", "al\u{ad}ice"];
    for (spelling, cost) in spellings.iter().cycle().zip([0, 0, 0, 1, 2, 4, 8, 8, 8, 0]) {
        let answer = try_from(&world, spelling, "wrong", ELSEWHERE).await;
        assert_eq!(answer, refused());
        world.clock.advance(Duration::from_secs(cost));
    }
    world.clock.advance(Duration::from_secs(60));
    for spelling in spellings {
        let answer = try_from(&world, spelling, PASSWORD, ELSEWHERE).await;
        assert_eq!(answer, refused(), "{spelling}");
    }
    assert!(is_in(&try_from(&world, "bob", PASSWORD, ELSEWHERE).await));
}

async fn guesses_at_the_same_time_get_no_more_tries(world: World) {
    let guesses = (0..200).map(async |guess| {
        let password = format!("guess {guess}");
        try_from(&world, "alice", &password, ELSEWHERE).await
    });
    let answers = join_all(guesses).await;
    assert!(answers.iter().all(|answer| *answer == refused()));
    // The audit tells which of them were looked at.
    let looked_at = world
        .audit()
        .into_iter()
        .filter(|record| record["event"] == "AuthReject" && record["user"] == "id-of-alice");
    let looked_at = looked_at.count();
    assert!((4..=10).contains(&looked_at), "{looked_at} passwords");
    let answer = try_from(&world, "alice", PASSWORD, ELSEWHERE).await;
    assert_eq!(answer, refused());
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

async fn unknown_and_known_users_are_alike_in_answer_and_time(world: World) {
    lock_out(&world, "dora", ELSEWHERE).await;
    let mut medians = Vec::new();
    for name in ["alice", "nobody", "machine", "dora"] {
        let mut times = Vec::new();
        for _ in 0..3 {
            let start = Instant::now();
            assert_eq!(try_from(&world, name, "wrong", HOME).await, refused());
            times.push(start.elapsed());
        }
        medians.push(median(times));
    }
    for (one, other) in medians
        .iter()
        .flat_map(|one| medians.iter().map(move |other| (one, other)))
    {
        assert!(
            one.abs_diff(*other) < Duration::from_millis(125),
            "{medians:?}"
        );
    }
    assert!(medians[0] >= Duration::from_millis(250), "{medians:?}");
}

async fn a_lockout_ends_by_the_clock_and_stops_no_session(world: World) {
    let session = world.login("bob", &realm()).await;
    lock_out(&world, "alice", ELSEWHERE).await;
    lock_out(&world, "bob", ELSEWHERE).await;
    alive(world.validate(&session).await);
    world
        .clock
        .advance(LOCKOUT.saturating_sub(Duration::from_secs(60)));
    assert_eq!(
        try_from(&world, "alice", PASSWORD, ELSEWHERE).await,
        refused()
    );
    world.clock.advance(Duration::from_secs(60));
    assert!(is_in(&try_from(&world, "alice", PASSWORD, ELSEWHERE).await));
    // All is forgiven.
    for _ in 0..3 {
        assert_eq!(
            try_from(&world, "alice", "wrong", ELSEWHERE).await,
            refused()
        );
    }
    assert!(is_in(&try_from(&world, "alice", PASSWORD, ELSEWHERE).await));
}

async fn an_administrator_ends_a_lockout(world: World) {
    lock_out(&world, "alice", ELSEWHERE).await;
    for name in [" Alice", "id-of-alice"] {
        let status = world.server.user_status(name).await.unwrap();
        assert_eq!(status.universal_id.as_deref(), Some("id-of-alice"));
        assert_eq!(status.failed_logins, 10);
        assert_eq!(status.refused_until, Some(world.now().plus(LOCKOUT)));
        assert_eq!(status.second_factor, None);
    }
    world.server.unlock_user("ALICE").await.unwrap();
    assert!(is_in(&try_from(&world, "alice", PASSWORD, ELSEWHERE).await));
    lock_out(&world, "nobody", ELSEWHERE).await;
    let status = world.server.user_status("nobody").await.unwrap();
    assert_eq!((status.universal_id, status.failed_logins), (None, 10));
}

async fn guesses_from_elsewhere_do_not_lock_out_where_a_user_was_before(world: World) {
    assert!(is_in(&try_from(&world, "alice", PASSWORD, HOME).await));
    lock_out(&world, "alice", ELSEWHERE).await;
    assert_eq!(
        try_from(&world, "alice", PASSWORD, ELSEWHERE).await,
        refused()
    );
    assert!(is_in(&try_from(&world, "alice", PASSWORD, HOME).await));
    lock_out(&world, "alice", HOME).await;
    assert_eq!(try_from(&world, "alice", PASSWORD, HOME).await, refused());
    world.server.unlock_user("alice").await.unwrap();
    for from in [HOME, ELSEWHERE] {
        assert!(is_in(&try_from(&world, "alice", PASSWORD, from).await));
    }
}

async fn a_network_has_so_many_failures_over_all_names(world: World) {
    let limit = "[regulation]\nnetworks = [{ ipv4_prefix = 24, ipv6_prefix = 64, max_failures = 5 }]\n[limits]";
    let world = world.restart_with("[limits]", limit).await;
    assert!(is_in(
        &try_from(&world, "bob", PASSWORD, "198.51.100.1").await
    ));
    let guesses = (0..40).map(async |name| {
        let from = format!("198.51.100.{name}");
        try_from(&world, &format!("name {name}"), "wrong", &from).await
    });
    assert!(
        join_all(guesses)
            .await
            .iter()
            .all(|answer| *answer == refused())
    );
    let looked_at = world.audit();
    let looked_at = looked_at
        .iter()
        .filter(|record| record["event"] == "AuthAttempt");
    assert_eq!(looked_at.count(), 5);
    assert_eq!(
        try_from(&world, "alice", PASSWORD, "198.51.100.9").await,
        refused()
    );
    // Who was there before is let in, and so is everybody elsewhere.
    assert!(is_in(
        &try_from(&world, "bob", PASSWORD, "198.51.100.9").await
    ));
    assert!(is_in(
        &try_from(&world, "alice", PASSWORD, "198.51.101.9").await
    ));
    world.clock.advance(Duration::from_hours(1));
    assert!(is_in(
        &try_from(&world, "alice", PASSWORD, "198.51.100.9").await
    ));
}

async fn who_is_locked_out_may_be_told(world: World) {
    let world = world
        .restart_with("[limits]", "[regulation]\ntell = true\n[limits]")
        .await;
    for name in ["alice", "nobody"] {
        lock_out(&world, name, ELSEWHERE).await;
        let reason = Reason::EXCESSIVE_FAILED_LOGINS;
        assert_eq!(
            try_from(&world, name, PASSWORD, ELSEWHERE).await,
            LoginAnswer::No { reason }
        );
    }
    let reasons: BTreeSet<_> = world
        .audit()
        .iter()
        .filter(|record| record["reason"] == "excessive_failed_logins")
        .map(|record| record["event"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(reasons, BTreeSet::from([String::from("AuthReject")]));
}

async fn many_logins_of_one_user_at_once_all_succeed(world: World) {
    let logins = (0..40).map(|_| try_from(&world, "alice", PASSWORD, HOME));
    assert!(join_all(logins).await.iter().all(is_in));
}

async fn a_lockout_outlives_a_restart(world: World) {
    lock_out(&world, "alice", ELSEWHERE).await;
    let world = world.restart().await;
    assert_eq!(
        try_from(&world, "alice", PASSWORD, ELSEWHERE).await,
        refused()
    );
}

async fn names_that_were_typed_are_nowhere(world: World) {
    let typed = "my password, in the wrong field";
    assert_eq!(try_from(&world, typed, "x", HOME).await, refused());
    assert!(!world.audit_text().contains(typed));
    // A shared store is not in files of ours; what is written there is the same.
    let Ok(files) = std::fs::read_dir(world.dir.path().join("state")) else {
        return;
    };
    for file in files {
        let bytes = std::fs::read(file.unwrap().path()).unwrap_or_default();
        let found = bytes
            .windows(typed.len())
            .any(|part| part == typed.as_bytes());
        assert!(!found);
    }
}

#[tokio::test]
async fn administrators_do_the_same_over_https() {
    let world = World::remote().await;
    let admin = world.admin(ADMIN_SECRET);
    lock_out(&world, "alice", ELSEWHERE).await;
    let status = admin.user_status("alice").await.unwrap();
    assert_eq!(status, world.server.user_status("alice").await.unwrap());
    assert_eq!(status.failed_logins, 10);
    admin.unlock_user("alice").await.unwrap();
    assert!(is_in(&try_from(&world, "alice", PASSWORD, ELSEWHERE).await));
}
