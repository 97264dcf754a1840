//! Accounts that are disabled, renamed or gone.

use policy_server::directory::{Authentication, PasswordState};

use crate::harness::{PASSWORD, World, people, slapd, slapd_with};

const DISABLED: &str = "disabled_filter = \"(title=disabled)\"\ncache = \"0s\"";

#[tokio::test]
async fn a_disabled_user_is_known_to_be_so_with_the_right_password() {
    let Some(slapd) = slapd(&people()) else {
        return;
    };
    let world = World::new(&slapd, DISABLED);
    match world.ask("bob", PASSWORD).await {
        Ok(Authentication::Accepted(user, PasswordState::Good)) => assert!(user.disabled),
        other => panic!("{other:?}"),
    }
    match world.ask("bob", "wrong").await {
        Ok(Authentication::WrongPassword(_)) => {}
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_user_who_is_disabled_or_gone_is_not_found_any_more() {
    let Some(slapd) = slapd(&people()) else {
        return;
    };
    let world = World::new(&slapd, DISABLED);
    let (alice, carol) = (world.log_in("alice").await, world.log_in("carol").await);
    let change = |what: &str| {
        let changes = format!("dn: uid=alice,ou=people,dc=example,dc=com\n{what}");
        slapd.modify(&changes).unwrap();
    };
    change("changetype: modify\nadd: title\ntitle: disabled\n");
    assert!(world.find(&alice).await.unwrap().unwrap().disabled);
    change("changetype: modify\ndelete: title\n");
    assert!(!world.find(&alice).await.unwrap().unwrap().disabled);
    // The name changes, the user does not.
    change("changetype: modrdn\nnewrdn: uid=alicia\ndeleteoldrdn: 1\n");
    let found = world.find(&alice).await.unwrap().unwrap();
    assert_eq!(found.identity.user_name, "alicia");
    slapd
        .modify("dn: uid=alicia,ou=people,dc=example,dc=com\nchangetype: delete\n")
        .unwrap();
    assert_eq!(world.find(&alice).await, Ok(None));
    assert!(world.find(&carol).await.unwrap().is_some());
}

#[tokio::test]
async fn what_was_found_is_taken_for_true_as_long_as_configured() {
    let Some(slapd) = slapd(&people()) else {
        return;
    };
    let world = World::new(
        &slapd,
        "disabled_filter = \"(title=disabled)\"\ncache = \"10m\"",
    );
    let alice = world.log_in("alice").await;
    slapd
        .modify("dn: uid=alice,ou=people,dc=example,dc=com\nchangetype: delete\n")
        .unwrap();
    assert!(world.find(&alice).await.unwrap().is_some());
    let unknown = world.ask("alice", PASSWORD).await;
    assert_eq!(
        unknown,
        Ok(Authentication::UnknownUser),
        "logins always ask"
    );
}

/// Somebody who is not found by the filter of users is no user, whatever their id.
#[tokio::test]
async fn a_user_who_leaves_the_filter_is_not_found_any_more() {
    let Some(slapd) = slapd(&people()) else {
        return;
    };
    let settings = "user_filter = \"(&(uid={name})(!(title=left)))\"\ncache = \"0s\"";
    let world = World::new(&slapd, settings);
    let alice = world.log_in("alice").await;
    let leave =
        "dn: uid=alice,ou=people,dc=example,dc=com\nchangetype: modify\nadd: title\ntitle: left\n";
    slapd.modify(leave).unwrap();
    assert_eq!(world.find(&alice).await, Ok(None));
}

#[tokio::test]
async fn an_entry_without_an_id_or_a_name_is_no_user_and_no_no() {
    let Some(slapd) = slapd_with(&people(), "") else {
        return;
    };
    let world = World::new(&slapd, "universal_id_attribute = \"employeeNumber\"");
    assert!(world.ask("alice", PASSWORD).await.is_err());
}
