//! Directories of several kinds in order.

use policy_server::directory::Authentication;
use policy_server::{PasswordCost, hash_password_at};

use crate::harness::{PASSWORD, World, people, section, slapd};

#[tokio::test]
async fn a_name_in_the_file_hides_the_one_in_ldap() {
    let Some(slapd) = slapd(&people()) else {
        return;
    };
    let ldap = section("staff", &[slapd.tls_url()], &slapd, "");
    let text = format!("users_file = \"users.toml\"\n{ldap}");
    let hash = hash_password_at("of the file", PasswordCost::LIGHT).unwrap();
    let users =
        format!("[[users]]\nname = \"alice\"\npassword = \"{hash}\"\n[[users]]\nname = \"bob\"");
    let world = World::with(&text, |dir| {
        std::fs::write(dir.path().join("users.toml"), users).unwrap();
    });
    let Ok(Authentication::Accepted(alice, _)) = world.ask("alice", "of the file").await else {
        panic!("alice of the file");
    };
    assert_eq!(alice.identity.directory.oid, "file");
    // Not even if the file has no password for them.
    for name in ["alice", "bob", "ALICE "] {
        match world.ask(name, PASSWORD).await {
            Ok(Authentication::WrongPassword(user)) => {
                assert_eq!(user.identity.directory.oid, "file")
            }
            other => panic!("{name}: {other:?}"),
        }
    }
    assert_eq!(world.log_in("carol").await.directory.oid, "staff");
    assert!(world.path("users.toml").exists());
}
