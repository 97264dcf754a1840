//! Groups, and the groups that groups are in.

use crate::harness::{World, group, people, slapd, slapd_with};

/// `leads` are in `staff`, `staff` in `everybody`, and `everybody` in `leads`.
fn entries() -> String {
    let groups = [
        group("leads", &["uid=alice,ou=people", "cn=everybody,ou=groups"]),
        group("staff", &["cn=leads,ou=groups", "uid=bob,ou=people"]),
        group("everybody", &["cn=staff,ou=groups"]),
        group("others", &["uid=carol,ou=people"]),
        // Not below the base of groups.
        String::from(
            "\ndn: cn=fake,ou=people,dc=example,dc=com\nobjectClass: groupOfNames\ncn: administrators\n\
             member: uid=alice,ou=people,dc=example,dc=com\n",
        ),
    ];
    format!("{}{}", people(), groups.concat())
}

const BASE: &str = "group_base = \"OU=groups, dc=example,dc=com\"\n";

#[tokio::test]
async fn groups_are_followed_as_deep_as_configured_and_in_circles_once() {
    let Some(slapd) = slapd(&entries()) else {
        return;
    };
    for (depth, alices) in [
        (1, &["leads"][..]),
        (2, &["leads", "staff"]),
        (3, &["everybody", "leads", "staff"]),
        (20, &["everybody", "leads", "staff"]),
    ] {
        let settings = format!("{BASE}group_filter = \"(member={{dn}})\"\ngroup_depth = {depth}");
        let world = World::new(&slapd, &settings);
        let alice = world.log_in("alice").await;
        assert_eq!(alice.groups, alices, "{depth}");
        assert_eq!(
            world.find(&alice).await.unwrap().unwrap().identity.groups,
            alices
        );
        assert_eq!(world.log_in("carol").await.groups, ["others"]);
    }
    let none = World::new(&slapd, "").log_in("alice").await;
    assert!(none.groups.is_empty());
}

#[tokio::test]
async fn groups_that_entries_name_are_followed_too() {
    // The overlay sees changes only, so the groups are added afterwards.
    let Some(slapd) = slapd_with(&people(), "overlay memberof\nmemberof-dangling ignore") else {
        return;
    };
    for entry in entries()
        .split("\n\n")
        .filter(|entry| entry.contains("groupOfNames"))
    {
        let entry = entry.trim().replacen('\n', "\nchangetype: add\n", 1);
        slapd.modify(&format!("{entry}\n")).unwrap();
    }
    let attribute = format!("{BASE}group_attribute = \"memberOf\"\n");
    let alice = World::new(&slapd, &attribute).log_in("alice").await;
    assert_eq!(alice.groups, ["everybody", "leads", "staff"]);
    let own = World::new(&slapd, &format!("{attribute}group_depth = 1"))
        .log_in("alice")
        .await;
    assert_eq!(own.groups, ["leads"]);
    let whole = format!("{attribute}group_depth = 1\ngroup_name_attribute = \"dn\"");
    let alice = World::new(&slapd, &whole).log_in("alice").await;
    assert_eq!(alice.groups, ["cn=leads,ou=groups,dc=example,dc=com"]);
}

#[tokio::test]
async fn a_base_of_groups_that_is_not_there_is_no_lack_of_groups() {
    let Some(slapd) = slapd(&entries()) else {
        return;
    };
    let settings =
        "group_base = \"ou=nowhere,dc=example,dc=com\"\ngroup_filter = \"(member={dn})\"";
    let world = World::new(&slapd, settings);
    assert!(world.ask("alice", crate::harness::PASSWORD).await.is_err());
}
