//! Login(): who gets in, and what those learn who do not.

use policy_protocol::message::{Credentials, LoginAnswer};
use policy_protocol::{AuthScheme, ProtectionLevel, RealmContext, Reason, SessionSpec};

use crate::harness::{FINGERPRINT, PASSWORD, World, alive, assert_dead, persistent, realm};

crate::for_both!(
    a_login_makes_a_session,
    a_name_is_one_name_however_it_is_typed,
    unknown_users_and_wrong_passwords_get_one_answer,
    a_disabled_user_is_told_so_only_with_the_right_password,
    a_certificate_logs_in_by_fingerprint_or_subject,
    only_the_credentials_of_the_scheme_count,
    a_step_up_ends_the_session_before,
    a_failed_step_up_ends_nothing,
    a_forged_previous_session_does_not_stop_a_login,
);

async fn a_login_makes_a_session(world: World) {
    let session = world.login("alice", &realm()).await;
    assert_eq!(session.identity.user_name, "alice");
    assert_eq!(session.identity.universal_id, "id-of-alice");
    assert_eq!(session.identity.user_dn, "uid=alice,ou=people");
    assert_eq!(session.identity.directory.namespace, "File:");
    assert_eq!(session.identity.groups, ["staff", "admins"]);
    assert_eq!(session.identity.attributes["phone"], ["1", "2"]);
    assert_eq!(session.auth_scheme, AuthScheme::Form);
    assert_eq!(session.protection_level, ProtectionLevel(5));
    assert_eq!(session.started, world.now());
    assert_eq!(
        (session.idle_timeout, session.max_timeout),
        (realm().idle_timeout, realm().max_timeout)
    );
    assert!(session.spec.as_str().len() <= SessionSpec::MAX_LENGTH);
    assert_ne!(world.login("alice", &realm()).await.id, session.id);
}

async fn a_name_is_one_name_however_it_is_typed(world: World) {
    for name in ["ALICE", " alice ", "Alice"] {
        assert_eq!(
            world.login(name, &realm()).await.identity.user_name,
            "alice"
        );
    }
}

async fn unknown_users_and_wrong_passwords_get_one_answer(world: World) {
    let refused = LoginAnswer::No {
        reason: Reason::UNKNOWN_USER,
    };
    let long = "x".repeat(5000);
    for (name, password) in [
        ("alice", "wrong"),
        ("alice", ""),
        ("alice", long.as_str()),
        ("nobody", PASSWORD),
        ("", ""),
        (long.as_str(), PASSWORD),
        ("machine", PASSWORD), // has no password
        ("machine", ""),
        ("dora", "wrong"), // is disabled
    ] {
        assert_eq!(
            world.try_login(name, password, &realm(), None).await,
            refused,
            "{name:?}"
        );
    }
}

async fn a_disabled_user_is_told_so_only_with_the_right_password(world: World) {
    let answer = world.try_login("dora", PASSWORD, &realm(), None).await;
    assert_eq!(
        answer,
        LoginAnswer::No {
            reason: Reason::USER_DISABLED
        }
    );
}

fn certificate(subject: &str, fingerprint: &str) -> Credentials {
    Credentials::Certificate {
        subject: subject.to_owned(),
        issuer: String::from("CN=ca"),
        fingerprint: fingerprint.to_owned(),
        common_names: Vec::new(),
        emails: Vec::new(),
    }
}

async fn a_certificate_logs_in_by_fingerprint_or_subject(world: World) {
    let realm = RealmContext {
        auth_scheme: AuthScheme::Certificate,
        ..realm()
    };
    for (subject, fingerprint) in [("CN=x", FINGERPRINT), ("CN=alice,O=Example", "ff")] {
        match world
            .present(certificate(subject, fingerprint), &realm, None)
            .await
        {
            LoginAnswer::Yes { session } => assert_eq!(session.identity.user_name, "alice"),
            other => panic!("{other:?}"),
        }
    }
    for (subject, fingerprint) in [("CN=x", "ff"), ("", ""), ("CN=alice", "ff")] {
        let answer = world
            .present(certificate(subject, fingerprint), &realm, None)
            .await;
        assert_eq!(
            answer,
            LoginAnswer::No {
                reason: Reason::UNKNOWN_USER
            }
        );
    }
}

async fn only_the_credentials_of_the_scheme_count(world: World) {
    let unsupported = LoginAnswer::No {
        reason: Reason::UNSUPPORTED_SCHEME,
    };
    for auth_scheme in [AuthScheme::Certificate, AuthScheme::None] {
        let realm = RealmContext {
            auth_scheme,
            ..realm()
        };
        assert_eq!(
            world.try_login("alice", PASSWORD, &realm, None).await,
            unsupported
        );
    }
    let answer = world
        .present(certificate("CN=x", FINGERPRINT), &realm(), None)
        .await;
    assert_eq!(answer, unsupported);
}

async fn a_step_up_ends_the_session_before(world: World) {
    // Of the same user or not, persistent or not.
    for (before, user) in [(realm(), "alice"), (persistent(), "bob")] {
        let low = world.login("alice", &before).await;
        let high = RealmContext {
            protection_level: ProtectionLevel(20),
            ..realm()
        };
        match world.try_login(user, PASSWORD, &high, Some(&low)).await {
            LoginAnswer::Yes { session } => {
                assert_ne!(session.id, low.id);
                assert_eq!(session.protection_level, ProtectionLevel(20));
                alive(world.validate(&session).await);
            }
            other => panic!("{other:?}"),
        }
        assert_dead(world.validate(&low).await, Reason::REVOKED_SESSION);
    }
}

async fn a_failed_step_up_ends_nothing(world: World) {
    let low = world.login("alice", &realm()).await;
    let answer = world
        .try_login("alice", "wrong", &realm(), Some(&low))
        .await;
    assert_eq!(
        answer,
        LoginAnswer::No {
            reason: Reason::UNKNOWN_USER
        }
    );
    alive(world.validate(&low).await);
}

async fn a_forged_previous_session_does_not_stop_a_login(world: World) {
    let mut planted = world.login("bob", &realm()).await;
    let victim = world.login("bob", &realm()).await;
    planted.id = victim.id; // the spec does not belong to this id
    let answer = world
        .try_login("alice", PASSWORD, &realm(), Some(&planted))
        .await;
    assert!(matches!(answer, LoginAnswer::Yes { .. }));
    alive(world.validate(&victim).await);
}
