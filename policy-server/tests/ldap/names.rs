//! Which entry a name finds.

use policy_protocol::Secret;
use policy_server::directory::Authentication;

use crate::harness::{PASSWORD, World, people, slapd};

#[tokio::test]
async fn a_name_in_any_spelling_finds_its_entry_with_its_attributes() {
    let Some(slapd) = slapd(&people()) else {
        return;
    };
    let world = World::new(&slapd, "attributes = [\"mail\", \"Mobile\", \"title\"]");
    for name in ["alice", " ALICE\t", "ａｌｉｃｅ"] {
        let alice = world.log_in(name).await;
        assert_eq!(alice.user_name, "alice");
        assert_eq!(alice.user_dn, "uid=alice,ou=people,dc=example,dc=com");
        assert_eq!(alice.universal_id.len(), 36, "{}", alice.universal_id);
        assert_eq!(alice.attributes["mail"], ["alice@example.com"]);
        assert_eq!(alice.attributes["Mobile"], ["1", "2"]);
        assert!(!alice.attributes.contains_key("title"));
        assert_eq!(alice.directory.name, "staff");
        assert_eq!(alice.directory.namespace, "LDAP:");
        assert_eq!(alice.directory.server, slapd.tls_address().to_string());
        let found = world.find(&alice).await.unwrap().unwrap();
        assert_eq!(found.identity, alice);
    }
}

const STRANGE: &str = "
dn: cn=strange,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
cn: strange
sn: strange
uid: a*(b)\\c
userPassword: correct horse
";

#[tokio::test]
async fn a_name_is_no_filter() {
    let Some(slapd) = slapd(&format!("{}{STRANGE}", people())) else {
        return;
    };
    let world = World::new(&slapd, "");
    for name in [
        "*",
        "*)(uid=*",
        "alice)(|(uid=*",
        "a*",
        "alic?",
        "\\61lice",
        "{name}",
        "alice\0",
        "",
        " ",
        "nobody",
        &"x".repeat(5000),
    ] {
        let answer = world.ask(name, PASSWORD).await;
        // What cannot be seen is taken away before anybody is asked.
        if name == "alice\0" {
            assert!(
                matches!(answer, Ok(Authentication::Accepted(..))),
                "{answer:?}"
            );
        } else {
            assert_eq!(answer, Ok(Authentication::UnknownUser), "{name:?}");
        }
    }
    assert_eq!(world.log_in("a*(b)\\c").await.user_name, "a*(b)\\c");
}

#[tokio::test]
async fn a_name_of_two_entries_is_nobodys() {
    let Some(slapd) = slapd(&people()) else {
        return;
    };
    let world = World::new(&slapd, "user_filter = \"(|(uid={name})(mail={name}))\"");
    assert_eq!(world.log_in("alice@example.com").await.user_name, "alice");
    for password in [PASSWORD, "wrong"] {
        let answer = world.ask("both@example.com", password).await;
        assert_eq!(answer, Ok(Authentication::Ambiguous));
    }
    assert_eq!(world.log_in("bob").await.user_name, "bob");
}

#[tokio::test]
async fn a_wrong_password_is_told_from_a_name_that_nobody_has_only_for_the_records() {
    let Some(slapd) = slapd(&people()) else {
        return;
    };
    let world = World::new(&slapd, "");
    for password in [
        "wrong",
        "correct horse ",
        "correct\0horse",
        "\0",
        &"x".repeat(5000),
    ] {
        match world.ask("alice", password).await {
            Ok(Authentication::WrongPassword(user)) => assert_eq!(user.identity.user_name, "alice"),
            other => panic!("{password:?}: {other:?}"),
        }
    }
}

/// slapd would refuse such a bind in a way that says nothing of the password.
#[tokio::test]
async fn an_empty_password_is_never_sent() {
    let Some(slapd) = slapd(&people()) else {
        return;
    };
    let world = World::new(&slapd, "");
    assert_eq!(
        world.ask("alice", "").await,
        Ok(Authentication::UnknownUser)
    );
    let directory = world.directories.by_oid("staff").unwrap();
    let answer = directory.authenticate("alice", Secret::new(String::new()));
    let answer = answer.await;
    assert!(
        matches!(answer, Ok(Authentication::WrongPassword(_))),
        "{answer:?}"
    );
}

#[tokio::test]
async fn only_entries_below_the_base_and_of_the_scope_are_users() {
    let deep = "\ndn: ou=guests,ou=people,dc=example,dc=com\nobjectClass: organizationalUnit\nou: guests\n\
                \ndn: uid=dora,ou=guests,ou=people,dc=example,dc=com\nobjectClass: inetOrgPerson\n\
                uid: dora\ncn: dora\nsn: dora\nuserPassword: correct horse\n";
    let Some(slapd) = slapd(&format!("{}{deep}", people())) else {
        return;
    };
    assert_eq!(
        World::new(&slapd, "").log_in("dora").await.user_name,
        "dora"
    );
    let world = World::new(&slapd, "scope = \"one\"");
    assert_eq!(
        world.ask("dora", PASSWORD).await,
        Ok(Authentication::UnknownUser)
    );
    let filtered = World::new(&slapd, "user_filter = \"(&(uid={name})(mail=*))\"");
    assert_eq!(
        filtered.ask("dora", PASSWORD).await,
        Ok(Authentication::UnknownUser)
    );
    assert_eq!(filtered.log_in("alice").await.user_name, "alice");
}
