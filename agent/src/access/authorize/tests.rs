use std::collections::BTreeMap;

use super::*;

fn alice() -> Identity {
    Identity {
        user_name: String::from("alice"),
        groups: vec![String::from("staff"), String::from("admins")],
        attributes: BTreeMap::from([(
            String::from("department"),
            vec![String::from("it"), String::from("ops")],
        )]),
        ..Identity::default()
    }
}

fn allowed(rules: &[Rule], resource: &str, method: &Method, client: &str) -> bool {
    let identity = alice();
    let subject = Subject {
        identity: &identity,
        client: client.parse().unwrap(),
        resource,
        method,
    };
    evaluate(rules, subject).allowed
}

fn allow() -> Rule {
    Rule::default()
}

#[test]
fn without_rules_every_authenticated_user_may() {
    assert!(allowed(&[], "/", &Method::GET, "192.0.2.1"));
}

#[test]
fn with_allow_rules_one_must_match() {
    let others = Rule {
        users: vec![String::from("bob")],
        ..allow()
    };
    assert!(!allowed(
        std::slice::from_ref(&others),
        "/",
        &Method::GET,
        "192.0.2.1"
    ));
    let hers = Rule {
        users: vec![String::from("Alice")],
        ..allow()
    };
    assert!(allowed(&[others, hers], "/", &Method::GET, "192.0.2.1"));
}

#[test]
fn a_refusal_wins_over_any_permission() {
    let deny = Rule {
        deny: true,
        groups: vec![String::from("admins")],
        ..allow()
    };
    assert!(!allowed(
        &[allow(), deny.clone()],
        "/",
        &Method::GET,
        "192.0.2.1"
    ));
    assert!(!allowed(&[deny], "/", &Method::GET, "192.0.2.1"));
}

#[test]
fn refusals_alone_leave_everything_else_allowed() {
    let deny = Rule {
        deny: true,
        resource: Some(String::from("/admin")),
        ..allow()
    };
    assert!(!allowed(
        std::slice::from_ref(&deny),
        "/admin/x",
        &Method::GET,
        "192.0.2.1"
    ));
    assert!(allowed(
        &[deny],
        "/administrators",
        &Method::GET,
        "192.0.2.1"
    ));
}

#[test]
fn a_refusal_holds_in_upper_and_lower_case_and_a_permission_does_not() {
    let deny = [Rule {
        deny: true,
        resource: Some(String::from("/admin")),
        ..allow()
    }];
    assert!(!allowed(&deny, "/ADMIN/x", &Method::GET, "192.0.2.1"));
    let permit = [Rule {
        resource: Some(String::from("/admin")),
        ..allow()
    }];
    assert!(!allowed(&permit, "/ADMIN/x", &Method::GET, "192.0.2.1"));
}

#[test]
fn every_part_of_a_rule_must_match() {
    let rule = Rule {
        groups: vec![String::from("staff")],
        attributes: vec![(String::from("department"), vec![String::from("ops")])],
        networks: vec!["10.0.0.0/8".parse().unwrap()],
        methods: vec![Method::GET],
        resource: Some(String::from("/reports")),
        ..allow()
    };
    let rules = [rule];
    assert!(allowed(&rules, "/reports/1", &Method::GET, "10.1.1.1"));
    assert!(!allowed(&rules, "/reports/1", &Method::POST, "10.1.1.1"));
    assert!(!allowed(&rules, "/reports/1", &Method::GET, "192.0.2.1"));
    assert!(!allowed(&rules, "/other", &Method::GET, "10.1.1.1"));
    let unknown = [Rule {
        attributes: vec![(String::from("clearance"), vec![String::from("top")])],
        ..allow()
    }];
    assert!(!allowed(&unknown, "/", &Method::GET, "10.1.1.1"));
}

#[test]
fn a_kept_decision_holds_to_its_end_by_either_clock_and_as_long_as_it_is_trusted() {
    const SECOND: Duration = Duration::from_secs(1);
    let asked = Instant::now();
    let now = Timestamp(1_000);
    let kept = KeptDecision {
        decision: Decision::No {
            reason: Reason::NONE,
            redirect: None,
        },
        asked,
        expires: now.plus(SECOND * 60),
    };
    let later = |seconds| asked + SECOND * seconds;
    let holds = |now, arrived| kept.holds(now, arrived, MAX_DECISION_AGE);
    assert!(holds(now.plus(SECOND * 59), later(59)));
    // The machine was suspended: its own clock stood still.
    assert!(!holds(now.plus(SECOND * 60), later(1)));
    // Somebody set the clock back.
    assert!(!holds(now, asked + MAX_DECISION_AGE));
    // Events do not arrive.
    assert!(kept.holds(now, later(0), SECOND));
    assert!(!kept.holds(now.plus(SECOND), later(1), SECOND));
}
