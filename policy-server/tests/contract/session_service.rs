//! What session services ask: by the right of the session that is shown, and of no other.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use policy_protocol::message::ValidateAnswer;
use policy_protocol::session_service::{
    SessionOperation, SessionServiceAnswer, SessionServiceRequest,
};
use policy_protocol::sessions::SessionQuery;
use policy_protocol::{RealmContext, Reason, Session, Timestamp};

use crate::harness::{World, alive, assert_dead, realm, resource};

const SECTION: &str = "administrators = [\"admins\"]\nproperties = [\"theme\"]";

async fn ask(world: &World, by: &Session, operation: SessionOperation) -> SessionServiceAnswer {
    ask_used_at(world, by, Timestamp::default(), operation).await
}

async fn ask_used_at(
    world: &World,
    by: &Session,
    last_access: Timestamp,
    operation: SessionOperation,
) -> SessionServiceAnswer {
    let request = SessionServiceRequest {
        session: by.ticket(),
        resource: resource("/json/sessions"),
        last_access,
        operation,
        from: IpAddr::V4(Ipv4Addr::LOCALHOST),
        client_address: None,
        transaction_id: String::from("t-1"),
    };
    world.calls.session_service(request).await.unwrap()
}

fn list() -> SessionOperation {
    SessionOperation::List {
        query: SessionQuery::default(),
        except_realms: Vec::new(),
    }
}

#[tokio::test]
async fn asking_about_a_session_does_not_use_it() {
    let world = World::remote().await.with_sessions(SECTION).await;
    let session = world.login("bob", &realm()).await;
    world.clock.advance(Duration::from_secs(20 * 60));
    for _ in 0..2 {
        let SessionServiceAnswer::Session {
            details,
            administrator,
            property_names,
        } = ask(&world, &session, SessionOperation::Describe).await
        else {
            panic!("not described")
        };
        assert_eq!(details.session.id, session.id);
        assert_eq!(details.session.last_access, session.started);
        assert!(!administrator);
        assert_eq!(property_names, BTreeSet::from([String::from("theme")]));
        // Half an hour of idle time, asked about twice: the second time is too late.
        world.clock.advance(Duration::from_secs(9 * 60));
    }
    assert_eq!(
        ask(&world, &session, SessionOperation::Describe).await,
        SessionServiceAnswer::No {
            reason: Reason::IDLE_SESSION
        }
    );
}

/// What an agent's cache answers is a use that only the agent knows of.
#[tokio::test]
async fn a_use_that_the_agent_alone_knows_of_counts() {
    let world = World::remote().await.with_sessions(SECTION).await;
    let session = world.login("bob", &realm()).await;
    world.clock.advance(Duration::from_secs(20 * 60));
    let used = world.now();
    world.clock.advance(Duration::from_secs(15 * 60));
    let described = ask_used_at(&world, &session, used, SessionOperation::Describe).await;
    let SessionServiceAnswer::Session { details, .. } = described else {
        panic!("{described:?}")
    };
    assert_eq!(details.session.last_access, used);
    // It was no use by itself.
    world.clock.advance(Duration::from_secs(16 * 60));
    assert_eq!(
        ask_used_at(&world, &session, used, SessionOperation::Describe).await,
        SessionServiceAnswer::No {
            reason: Reason::IDLE_SESSION
        }
    );
}

#[tokio::test]
async fn properties_are_of_the_session_that_is_shown() {
    let world = World::remote().await.with_sessions(SECTION).await;
    let session = world.login("bob", &realm()).await;
    let set = |name: &str, value: Option<String>| SessionOperation::SetProperties {
        changes: BTreeMap::from([(name.to_owned(), value)]),
    };
    let dark = Some(String::from("dark"));
    assert_eq!(
        ask(&world, &session, set("theme", dark.clone())).await,
        SessionServiceAnswer::Properties {
            properties: BTreeMap::from([(String::from("theme"), String::from("dark"))])
        }
    );
    assert_eq!(
        ask(&world, &session, set("role", dark)).await,
        SessionServiceAnswer::PropertyNotAllowed
    );
    assert_eq!(
        ask(&world, &session, set("theme", Some("x".repeat(1025)))).await,
        SessionServiceAnswer::PropertyTooLong
    );
}

#[tokio::test]
async fn only_administrators_see_and_end_sessions_of_others() {
    let world = World::remote().await.with_sessions(SECTION).await;
    let alice = world.login("alice", &realm()).await;
    let bob = world.login("bob", &realm()).await;
    let carol = world.login("carol", &realm()).await;
    let end = |session: &Session| SessionOperation::End {
        session_id: session.id,
    };
    let end_user = |user: &str| SessionOperation::EndUser {
        user: user.to_owned(),
        realm: None,
        except_realms: Vec::new(),
    };
    for refused in [
        list(),
        end(&carol),
        end(&bob),
        end_user("carol"),
        end_user("BOB"),
        end_user(""),
    ] {
        assert_eq!(
            ask(&world, &bob, refused).await,
            SessionServiceAnswer::Forbidden
        );
    }
    let bob = alive(world.validate(&bob).await);
    let carol = alive(world.validate(&carol).await);

    let SessionServiceAnswer::Sessions { list } = ask(&world, &alice, list()).await else {
        panic!("no list")
    };
    assert_eq!(list.sessions.len(), 3);
    assert_eq!(
        ask(&world, &alice, end(&bob)).await,
        SessionServiceAnswer::Done
    );
    assert_dead(world.validate(&bob).await, Reason::REVOKED_SESSION);
    // By login name, and again when there is nothing left.
    for _ in 0..2 {
        assert_eq!(
            ask(&world, &alice, end_user("CAROL")).await,
            SessionServiceAnswer::Done
        );
    }
    assert_dead(world.validate(&carol).await, Reason::REVOKED_SESSION);
    alive(world.validate(&alice).await);

    let acts: Vec<_> = world
        .audit()
        .into_iter()
        .filter(|record| record["agent"] == "gateway-1")
        .filter(|record| record["event"] == "AdminLogin" || record["event"] == "AdminReject")
        .map(|record| (record["event"].clone(), record["user"].clone()))
        .collect();
    let rejected = acts.iter().filter(|(event, _)| event == "AdminReject");
    assert_eq!((acts.len(), rejected.count()), (10, 6));
}

#[tokio::test]
async fn users_end_their_own_sessions_by_their_name() {
    let world = World::remote().await.with_sessions(SECTION).await;
    let shop = RealmContext {
        name: String::from("shop"),
        ..realm()
    };
    let carol = world.login("carol", &realm()).await;
    let universal_id = carol.identity.universal_id.clone();
    for name in ["bob", &bobs_universal_id(&world).await] {
        let (asks, other) = (
            world.login("bob", &realm()).await,
            world.login("bob", &realm()).await,
        );
        let elsewhere = world.login("bob", &shop).await;
        let end = |user: &str| SessionOperation::EndUser {
            user: user.to_owned(),
            realm: Some(realm().name),
            except_realms: Vec::new(),
        };
        for stranger in ["carol", &universal_id] {
            let refused = ask(&world, &asks, end(stranger)).await;
            assert_eq!(refused, SessionServiceAnswer::Forbidden);
        }
        let ended = ask(&world, &asks, end(name)).await;
        assert_eq!(ended, SessionServiceAnswer::Done);
        assert_dead(world.validate(&asks).await, Reason::REVOKED_SESSION);
        assert_dead(world.validate(&other).await, Reason::REVOKED_SESSION);
        alive(world.validate(&elsewhere).await);
    }
    alive(world.validate(&carol).await);
    let recorded = world.audit();
    let recorded = recorded
        .iter()
        .filter(|record| record["action"] == "revoke-user");
    let events: Vec<_> = recorded.map(|record| record["event"].clone()).collect();
    let (no, own) = ("AdminReject", "AuthLogout");
    assert_eq!(events, [no, no, own, no, no, own]);
}

async fn bobs_universal_id(world: &World) -> String {
    world.login("bob", &realm()).await.identity.universal_id
}

#[tokio::test]
async fn a_list_leaves_out_the_realms_that_are_not_meant() {
    let world = World::remote().await.with_sessions(SECTION).await;
    let alice = world.login("alice", &realm()).await;
    let shop = RealmContext {
        name: String::from("shop"),
        ..realm()
    };
    world.login("bob", &shop).await;
    for (except, expected) in [
        (&[][..], &["bob", "alice"][..]),
        (&["shop"], &["alice"]),
        (&["app", "other"], &["bob"]),
    ] {
        let list = SessionOperation::List {
            query: SessionQuery::default(),
            except_realms: except.iter().map(|&realm| realm.to_owned()).collect(),
        };
        let SessionServiceAnswer::Sessions { list } = ask(&world, &alice, list).await else {
            panic!("no list")
        };
        let sessions = list.sessions.iter();
        let mut names: Vec<_> = sessions
            .map(|session| session.identity.user_name.as_str())
            .collect();
        names.sort_unstable_by(|one, other| other.cmp(one));
        assert_eq!(names, expected, "{except:?}");
    }
}

/// Users of one name may be different people in different realms.
#[tokio::test]
async fn a_user_is_ended_in_the_realms_that_are_meant_alone() {
    let world = World::remote().await.with_sessions(SECTION).await;
    let alice = world.login("alice", &realm()).await;
    let shop = RealmContext {
        name: String::from("shop"),
        ..realm()
    };
    let end_user = |only: Option<&str>, except: &[&str]| SessionOperation::EndUser {
        user: String::from("BOB"),
        realm: only.map(str::to_owned),
        except_realms: except.iter().map(|&realm| realm.to_owned()).collect(),
    };
    for (only, except, ended) in [
        (Some("shop"), &[][..], [false, true]),
        (None, &["shop", "other"], [true, false]),
        (Some("none"), &[], [false, false]),
        (Some("shop"), &["shop"], [false, false]),
        (None, &[], [true, true]),
    ] {
        let sessions = [
            world.login("bob", &realm()).await,
            world.login("bob", &shop).await,
        ];
        let answer = ask(&world, &alice, end_user(only, except)).await;
        assert_eq!(answer, SessionServiceAnswer::Done);
        for (session, ended) in sessions.iter().zip(ended) {
            let answer = world.validate(session).await;
            let dead = matches!(answer, ValidateAnswer::No { .. });
            assert_eq!(dead, ended, "{only:?} {except:?}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn a_dead_session_gives_no_right() {
    let world = World::remote().await.with_sessions(SECTION).await;
    let alice = world.login("alice", &realm()).await;
    world.logout(alice.ticket()).await;
    for operation in [SessionOperation::Describe, list()] {
        assert_eq!(
            ask(&world, &alice, operation).await,
            SessionServiceAnswer::No {
                reason: Reason::REVOKED_SESSION
            }
        );
    }
}

#[tokio::test]
async fn nobody_administers_unless_a_group_is_named() {
    let world = World::remote().await;
    let alice = world.login("alice", &realm()).await;
    assert_eq!(
        ask(&world, &alice, list()).await,
        SessionServiceAnswer::Forbidden
    );
}

/// Of one name in two directories, the first logs in: so each directory is the first once.
#[tokio::test]
async fn an_administrators_own_name_may_mean_somebody_else() {
    let directory = |name: &str, file: &str| {
        format!("[[directories]]\nname = {name:?}\nkind = \"file\"\nfile = {file:?}\n")
    };
    let (users, others) = (
        directory("users", "users.toml"),
        directory("others", "others.toml"),
    );
    let section = "administrators = [\"staff\"]\nadministrators_directory = \"users\"";
    let world = World::remote().await;
    let known = std::fs::read_to_string(world.dir.path().join("users.toml")).unwrap();
    let named_bob = known.find("name = \"bob\"").unwrap();
    let other = known[named_bob..].split("[[users]]").next().unwrap();
    let other = format!("[[users]]\nuniversal_id = \"another\"\n{other}");
    std::fs::write(world.dir.path().join("others.toml"), other).unwrap();
    world.reconfigure(|text| {
        text.replace("users_file = \"users.toml\"", "")
            .replace("[[agents]]", &format!("{others}{users}[[agents]]"))
    });
    let world = world.with_sessions(section).await;
    let namesake = world.login("bob", &realm()).await;
    assert_eq!(namesake.identity.universal_id, "another");
    let world = world
        .restart_with(&format!("{others}{users}"), &format!("{users}{others}"))
        .await;
    let own = world.login("bob", &realm()).await;
    assert_eq!(own.identity.universal_id, "bob");
    let end_user = SessionOperation::EndUser {
        user: String::from("bob"),
        realm: None,
        except_realms: Vec::new(),
    };
    let ended = ask(&world, &own, end_user).await;
    assert_eq!(ended, SessionServiceAnswer::Done);
    for session in [&namesake, &own] {
        assert_dead(world.validate(session).await, Reason::REVOKED_SESSION);
    }
    let records = world.audit();
    assert_eq!(records[records.len() - 3]["event"], "AdminLogin");
}
