//! Passwords that must be changed before a login completes.

use policy_protocol::message::{Credentials, LoginAnswer};
use policy_protocol::{Reason, Secret};

use crate::harness::{PASSWORD, World, alive, realm};

crate::for_both!(
    a_login_with_a_new_password_changes_it_and_succeeds,
    a_password_that_must_be_changed_opens_nothing,
    where_nobody_may_write_nothing_is_changed,
);

const NEW: &str = "a new and longer password";

/// A world where alice must change her password, and may.
async fn writable(world: World) -> World {
    world.write_users("must_change = true");
    let directory = "[[directories]]\nname = \"users\"\nkind = \"file\"\nfile = \"users.toml\"\n\
                     writable = true\n[[agents]]";
    world.reconfigure(|text| {
        text.replace("users_file = \"users.toml\"", "")
            .replace("[[agents]]", directory)
    });
    world.restart().await
}

async fn try_change(world: &World, old: &str, new: Option<&str>) -> LoginAnswer {
    let credentials = Credentials::Password {
        user_name: String::from("alice"),
        password: Secret::new(old.to_owned()),
        new_password: new.map(|new| Secret::new(new.to_owned())),
        code: None,
    };
    world.present(credentials, &realm(), None).await
}

const fn challenge(reason: Reason) -> LoginAnswer {
    LoginAnswer::Challenge {
        reason,
        challenge: None,
    }
}

const REFUSED: LoginAnswer = LoginAnswer::No {
    reason: Reason::UNKNOWN_USER,
};

async fn a_login_with_a_new_password_changes_it_and_succeeds(world: World) {
    let world = writable(world).await;
    let must = challenge(Reason::PASSWORD_MUST_CHANGE);
    assert_eq!(try_change(&world, PASSWORD, None).await, must);
    let bad = challenge(Reason::BAD_PASSWORD_CHANGE);
    for weak in ["", PASSWORD] {
        assert_eq!(try_change(&world, PASSWORD, Some(weak)).await, bad);
    }
    match try_change(&world, PASSWORD, Some(NEW)).await {
        LoginAnswer::Yes { session } => _ = alive(world.validate(&session).await),
        other => panic!("{other:?}"),
    }
    assert_eq!(try_change(&world, PASSWORD, None).await, REFUSED);
    assert!(matches!(
        try_change(&world, NEW, None).await,
        LoginAnswer::Yes { .. }
    ));
    let text = world.audit_text();
    assert!(text.contains("AuthChallenge"));
    for secret in [PASSWORD, NEW] {
        assert!(!text.contains(secret));
    }
}

async fn a_password_that_must_be_changed_opens_nothing(world: World) {
    let world = writable(world).await;
    assert_eq!(try_change(&world, "wrong", None).await, REFUSED);
    // Who does not know the old one changes nothing and learns nothing.
    assert_eq!(try_change(&world, "wrong", Some(NEW)).await, REFUSED);
    assert_eq!(
        try_change(&world, PASSWORD, None).await,
        challenge(Reason::PASSWORD_MUST_CHANGE)
    );
}

async fn where_nobody_may_write_nothing_is_changed(world: World) {
    world.write_users("must_change = true");
    let world = world.restart().await;
    assert_eq!(
        try_change(&world, PASSWORD, None).await,
        challenge(Reason::PASSWORD_MUST_CHANGE)
    );
    assert_eq!(
        try_change(&world, PASSWORD, Some(NEW)).await,
        challenge(Reason::PASSWORD_CHANGE_FAILED)
    );
}
