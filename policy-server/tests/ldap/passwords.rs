//! What slapd's password policies say, and changes of passwords.

use std::time::Duration;

use policy_protocol::Secret;
use policy_server::directory::{Authentication, NewPassword, PasswordChange, PasswordState};
use test_services::Slapd;

use crate::harness::{PASSWORD, World, people, slapd, slapd_with};

const OVERLAY: &str = "overlay ppolicy\nppolicy_default \"cn=policy,dc=example,dc=com\"\n\
                       ppolicy_use_lockout\nppolicy_hash_cleartext";

/// slapd with alice, bob and carol and a policy with these lines.
fn with_policy(lines: &str) -> Option<Slapd> {
    let policy = format!(
        "\ndn: cn=policy,dc=example,dc=com\nobjectClass: device\nobjectClass: pwdPolicy\ncn: policy\n\
         pwdAttribute: userPassword\npwdAllowUserChange: TRUE\n{lines}"
    );
    slapd_with(&format!("{}{policy}", people()), OVERLAY)
}

/// Sets alice's password as the administrator does.
fn reset(slapd: &Slapd, more: &str) {
    slapd
        .modify(&format!(
            "dn: uid=alice,ou=people,dc=example,dc=com\nchangetype: modify\n\
             replace: userPassword\nuserPassword: {PASSWORD}\n{more}"
        ))
        .unwrap();
}

async fn state(world: &World, password: &str) -> Option<PasswordState> {
    match world.ask("alice", password).await.unwrap() {
        Authentication::Accepted(_, state) => Some(state),
        _ => None,
    }
}

async fn change(world: &World, old: &str, new: &str) -> PasswordChange {
    let directory = world.directories.by_oid("staff").unwrap();
    let Ok(Authentication::Accepted(user, _) | Authentication::WrongPassword(user)) =
        world.ask("alice", old).await
    else {
        panic!("alice is there");
    };
    let (old, new) = (Secret::new(old.to_owned()), Secret::new(new.to_owned()));
    directory.change_password(&user, old, new).await.unwrap()
}

const WRITABLE: &str = "writable = true";

#[tokio::test]
async fn a_password_is_changed_by_its_user_only_and_only_where_that_is_configured() {
    let Some(slapd) = slapd(&people()) else {
        return;
    };
    let world = World::new(&slapd, "");
    let read_only = change(&world, PASSWORD, "another horse").await;
    assert_eq!(read_only, PasswordChange::ReadOnly);
    let world = World::new(&slapd, WRITABLE);
    for (old, new, expected) in [
        ("wrong", "another horse", PasswordChange::WrongPassword),
        (PASSWORD, "", PasswordChange::Refused(NewPassword::Length)),
        (
            PASSWORD,
            "a\0b",
            PasswordChange::Refused(NewPassword::Length),
        ),
        (PASSWORD, "another horse", PasswordChange::Changed),
    ] {
        assert_eq!(change(&world, old, new).await, expected, "{old} {new:?}");
    }
    assert_eq!(state(&world, PASSWORD).await, None);
    assert_eq!(
        state(&world, "another horse").await,
        Some(PasswordState::Good)
    );
    // The connection on which it was changed is nobody else's.
    assert_eq!(world.log_in("bob").await.user_name, "bob");
}

#[tokio::test]
async fn a_password_that_was_reset_must_be_changed_first() {
    let Some(slapd) = with_policy("pwdMustChange: TRUE\n") else {
        return;
    };
    reset(&slapd, "-\nreplace: pwdReset\npwdReset: TRUE\n");
    let world = World::new(&slapd, WRITABLE);
    assert_eq!(
        state(&world, PASSWORD).await,
        Some(PasswordState::MustChange)
    );
    assert_eq!(state(&world, "wrong").await, None);
    let changed = change(&world, PASSWORD, "another horse").await;
    assert_eq!(changed, PasswordChange::Changed);
    assert_eq!(
        state(&world, "another horse").await,
        Some(PasswordState::Good)
    );
}

#[tokio::test]
async fn the_rules_of_the_server_for_new_passwords_are_told() {
    let lines = "pwdMinLength: 10\npwdCheckQuality: 2\npwdInHistory: 3\npwdMinAge: 0\n";
    let Some(slapd) = with_policy(lines) else {
        return;
    };
    let world = World::new(&slapd, WRITABLE);
    reset(&slapd, "");
    let short = change(&world, PASSWORD, "short").await;
    assert_eq!(short, PasswordChange::Refused(NewPassword::Length));
    let changed = change(&world, PASSWORD, "another horse").await;
    assert_eq!(changed, PasswordChange::Changed);
    let again = change(&world, "another horse", PASSWORD).await;
    assert_eq!(again, PasswordChange::Refused(NewPassword::UsedBefore));
    let modify = "dn: cn=policy,dc=example,dc=com\nchangetype: modify\nreplace: pwdMinAge\npwdMinAge: 3600\n";
    slapd.modify(modify).unwrap();
    let soon = change(&world, "another horse", "a third horse").await;
    assert_eq!(soon, PasswordChange::Refused(NewPassword::TooSoon));
}

#[tokio::test]
async fn a_password_that_will_expire_or_has_expired_is_told() {
    let Some(slapd) = with_policy("pwdMaxAge: 3600\npwdExpireWarning: 3600\n") else {
        return;
    };
    reset(&slapd, "");
    let world = World::new(&slapd, WRITABLE);
    // Not in the first second of the hour.
    crate::harness::eventually("a warning", async || match state(&world, PASSWORD).await {
        Some(PasswordState::WillExpire(left)) => {
            let hour = Duration::from_secs(3600);
            assert!(left > hour / 2 && left <= hour, "{left:?}");
            true
        }
        other => {
            assert_eq!(other, Some(PasswordState::Good));
            false
        }
    })
    .await;
    let old = "dn: uid=alice,ou=people,dc=example,dc=com\nchangetype: modify\n\
               replace: pwdChangedTime\npwdChangedTime: 20200101000000Z\n";
    if slapd.modify(old).is_err() {
        let old_policy = "dn: cn=policy,dc=example,dc=com\nchangetype: modify\nreplace: pwdMaxAge\n\
                          pwdMaxAge: 1\n-\nreplace: pwdExpireWarning\npwdExpireWarning: 0\n";
        slapd.modify(old_policy).unwrap();
    }
    crate::harness::eventually("the password to expire", async || {
        state(&world, PASSWORD).await == Some(PasswordState::Expired)
    })
    .await;
    assert_eq!(state(&world, "wrong").await, None);
    // This server takes it for nothing any more.
    let refused = change(&world, PASSWORD, "another horse").await;
    assert_eq!(refused, PasswordChange::Refused(NewPassword::NotAllowed));
    // Another login or so it would take, which is for this.
    let grace = "dn: cn=policy,dc=example,dc=com\nchangetype: modify\nreplace: pwdGraceAuthnLimit\n\
                 pwdGraceAuthnLimit: 9\n";
    slapd.modify(grace).unwrap();
    assert_eq!(state(&world, PASSWORD).await, Some(PasswordState::Expired));
    let changed = change(&world, PASSWORD, "another horse").await;
    assert_eq!(changed, PasswordChange::Changed);
}

#[tokio::test]
async fn a_user_whom_the_server_has_locked_out_is_told_only_to_the_records() {
    let lines = "pwdLockout: TRUE\npwdMaxFailure: 2\npwdLockoutDuration: 3600\n";
    let Some(slapd) = with_policy(lines) else {
        return;
    };
    let world = World::new(&slapd, "");
    for _ in 0..2 {
        assert_eq!(state(&world, "wrong").await, None);
    }
    for password in ["wrong", PASSWORD] {
        match world.ask("alice", password).await {
            Ok(Authentication::Locked(user)) => assert_eq!(user.identity.user_name, "alice"),
            other => panic!("{other:?}"),
        }
    }
}
