//! Who may do what, as one table.

use serde_json::{Value, json};

use super::Am;

/// Action, version, and the status for: the token alone, another session of the same user, another user, an
/// administrator.
const TABLE: [(&str, &str, [u16; 4]); 24] = [
    ("validate", "1.1", [200, 200, 200, 200]),
    ("validate", "3.1", [200, 200, 200, 200]),
    ("logout", "1.1", [401, 200, 200, 200]),
    ("logout", "2.0", [401, 200, 200, 200]),
    ("logout", "3.1", [200, 200, 200, 200]),
    ("getSessionInfo", "2.0", [200, 200, 403, 200]),
    ("getSessionInfo", "4.0", [200, 200, 403, 200]),
    (
        "getSessionInfoAndResetIdleTime",
        "4.0",
        [200, 200, 403, 200],
    ),
    ("refresh", "2.0", [200, 200, 403, 200]),
    ("refresh", "3.0", [200, 200, 403, 200]),
    ("getSessionProperties", "2.0", [200, 200, 403, 200]),
    ("getSessionProperties", "3.1", [200, 200, 403, 200]),
    ("updateSessionProperties", "3.1", [200, 200, 403, 200]),
    ("isActive", "1.1", [200, 200, 403, 200]),
    ("getTimeLeft", "1.1", [200, 200, 403, 200]),
    ("getMaxTime", "1.1", [200, 200, 403, 200]),
    ("getIdle", "1.1", [200, 200, 403, 200]),
    ("getMaxIdle", "1.1", [200, 200, 403, 200]),
    ("getMaxSessionTime", "1.1", [403, 403, 403, 200]),
    ("getPropertyNames", "1.1", [200, 200, 403, 200]),
    ("getProperty", "1.1", [200, 200, 403, 200]),
    ("setProperty", "1.1", [200, 200, 403, 200]),
    ("deleteProperty", "1.1", [200, 200, 403, 200]),
    ("GETSESSIONINFO", "3.0", [200, 200, 403, 200]),
];

/// What the action wants beside the token.
fn members(action: &str) -> Value {
    match action {
        "updateSessionProperties" | "setProperty" => json!({ "color": "red" }),
        "deleteProperty" | "getProperty" => json!({ "properties": ["color"] }),
        _ => json!({}),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_for_their_users_and_for_administrators() {
    let am = Am::start().await;
    let (own, other) = (am.login("carol").await, am.login("bob").await);
    let admin = am.login("alice").await;
    for (action, version, expected) in TABLE {
        let callers = [None, Some(&own), Some(&other), Some(&admin)];
        for (caller, expected) in callers.into_iter().zip(expected) {
            let token = am.login("carol").await;
            let color = json!({ "tokenId": token, "color": "blue" });
            let prepared = am.act("3.1", "updateSessionProperties", None, &color).await;
            assert_eq!(prepared.status, 200, "{}", prepared.text());
            let mut body = members(action);
            body["tokenId"] = token.as_str().into();
            let answer = am
                .act(version, action, caller.map(String::as_str), &body)
                .await;
            let told = format!("{action} {version} {caller:?}: {}", answer.text());
            assert_eq!(answer.status.as_u16(), expected, "{told}");
            // Who is refused has done nothing.
            let ended = action == "logout" && expected == 200;
            assert_eq!(am.is_alive(&token).await, !ended, "{told}");
            if expected == 403 {
                let start = r#"{"code":403,"reason":"Forbidden","message":""#;
                assert!(answer.text().starts_with(start), "{told}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_of_others_end_by_handle_or_name_for_administrators_only() {
    let am = Am::start().await;
    let admin = am.login("alice").await;
    let bob = am.login("bob").await;
    let handle_of = async |token: &str| {
        let answer = am
            .act("2.0", "getSessionInfo", Some(token), &Value::Null)
            .await;
        answer.json::<Value>()["sessionHandle"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    for action in ["logoutByHandle", "logoutByUser"] {
        let tokens = [am.login("carol").await, am.login("carol").await];
        let handle = handle_of(&tokens[0]).await;
        assert!(handle.starts_with("shandle:"));
        let body = json!({
            "tokenId": tokens[0], "sessionHandles": [handle, "shandle:x", "x"], "username": "carol",
        });
        // By their name, users may end their own: see below.
        let own = if action == "logoutByUser" {
            &bob
        } else {
            &tokens[1]
        };
        for (caller, expected) in [
            (None, 401),
            (Some(own.as_str()), 403),
            (Some(bob.as_str()), 403),
            (Some("rubbish"), 401),
            // It names a session and lets nobody into it.
            (Some(handle.as_str()), 401),
        ] {
            let answer = am.act("5.1", action, caller, &body).await;
            assert_eq!(
                answer.status.as_u16(),
                expected,
                "{action} {}",
                answer.text()
            );
        }
        assert!(am.is_alive(&tokens[0]).await && am.is_alive(&tokens[1]).await);
        let answer = am.act("5.1", action, Some(&admin), &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        if action == "logoutByHandle" {
            let expected = json!({ "result": { &handle: true, "shandle:x": false, "x": false } });
            assert_eq!(answer.json::<Value>(), expected);
            assert!(am.is_alive(&tokens[1]).await);
            // Over is over, and that is what was wanted.
            let answer = am.act("2.0", action, Some(&admin), &body).await;
            assert_eq!(answer.json::<Value>(), expected);
        } else {
            assert_eq!(answer.text(), r#"{"result":true}"#);
            assert!(!am.is_alive(&tokens[1]).await);
        }
        assert!(!am.is_alive(&tokens[0]).await);
    }
    assert!(am.is_alive(&bob).await && am.is_alive(&admin).await);
    // A handle is no token, wherever it stands.
    let handle = handle_of(&bob).await;
    let answer = am
        .act("4.0", "getSessionInfo", None, &json!({ "tokenId": handle }))
        .await;
    assert_eq!(answer.text(), r#"{"valid":false}"#);
}

/// Nobody needs to be an administrator for that.
#[tokio::test(flavor = "multi_thread")]
async fn users_end_their_own_sessions_by_their_name() {
    let am = Am::start().await;
    let (alpha, bob) = ("/openam/json/alpha/authenticate", am.login("bob").await);
    for _ in 0..2 {
        let (own, other) = (am.login("carol").await, am.login("carol").await);
        let elsewhere = am.login_to(alpha, "carol").await;
        let body = json!({ "username": "carol" });
        let cookie = format!("{}={own}", super::TOKEN);
        let target = "/openam/json/sessions?_action=logoutByUser";
        let json = ("content-type", "application/json");
        let of_a_stranger = [
            json,
            ("cookie", cookie.as_str()),
            ("sec-fetch-site", "cross-site"),
        ];
        let answer = am.post(target, &of_a_stranger, &body.to_string()).await;
        assert_eq!(answer.status, 403, "{}", answer.text());
        assert!(am.is_alive(&other).await);

        let answer = am.act("5.1", "logoutByUser", Some(&own), &body).await;
        super::is_exactly(&answer, 200, r#"{"result":true}"#);
        assert!(!am.is_alive(&own).await && !am.is_alive(&other).await);
        assert!(am.is_alive(&elsewhere).await && am.is_alive(&bob).await);
    }
}

/// Users of one name may be different people in different realms.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_that_of_a_user_of_the_realm_that_is_called() {
    let am = Am::start().await;
    let admin = am.login("alice").await;
    let (root, alpha) = ("/openam/json", "/openam/json/alpha");
    for (called, others) in [(root, alpha), (alpha, root)] {
        let log_in = async |base| am.login_to(&format!("{base}/authenticate"), "carol").await;
        let (meant, other) = (log_in(called).await, log_in(others).await);
        let target = format!("{called}/sessions?_action=logoutByUser");
        let headers = [
            (super::TOKEN, admin.as_str()),
            ("content-type", "application/json"),
        ];
        let answer = am.post(&target, &headers, r#"{"username":"carol"}"#).await;
        super::is_exactly(&answer, 200, r#"{"result":true}"#);
        assert!(!am.is_alive(&meant).await, "{called}");
        assert!(am.is_alive(&other).await, "{called}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_and_settings_are_for_administrators() {
    let am = Am::start().await;
    let admin = am.login("alice").await;
    let bob = am.login("bob").await;
    let _alpha = am
        .login_to("/openam/json/alpha/authenticate", "carol")
        .await;
    let list = "/openam/json/sessions?_queryFilter=";
    let root = "realm%20eq%20%22%2F%22";
    let targets = [
        format!("{list}{root}"),
        "/openam/json/sessions?_queryId=all".to_owned(),
        "/openam/json/sessions?_queryId=list".to_owned(),
        "/openam/json/realms/root/realm-config/services/session".to_owned(),
    ];
    for target in &targets {
        for (caller, expected) in [(None, 401), (Some(&bob), 403), (Some(&admin), 200)] {
            let mut headers: Vec<(&str, &str)> = Vec::new();
            headers.extend(caller.map(|token| (super::TOKEN, token.as_str())));
            let answer = am.get(target, &headers).await;
            assert_eq!(
                answer.status.as_u16(),
                expected,
                "{target} {}",
                answer.text()
            );
        }
    }
    let users = async |filter: &str| {
        let answer = am
            .get(&format!("{list}{filter}"), &[(super::TOKEN, &admin)])
            .await;
        assert_eq!(answer.status, 200, "{filter} {}", answer.text());
        let json: Value = answer.json();
        let rows = json["result"].as_array().unwrap().clone();
        assert_eq!(json["resultCount"], rows.len());
        let mut names: Vec<String> = rows
            .iter()
            .map(|row| row["username"].as_str().unwrap().to_owned())
            .collect();
        names.sort();
        (names, answer.text())
    };
    let (names, text) = users(root).await;
    assert_eq!(names, ["alice", "bob"]);
    super::has_members(
        &text,
        &[
            "result",
            "resultCount",
            "pagedResultsCookie",
            "totalPagedResultsPolicy",
            "totalPagedResults",
            "remainingPagedResults",
        ],
    );
    let row = &text[text.find("[{").unwrap() + 1..=text.find('}').unwrap()];
    super::has_members(
        row,
        &[
            "username",
            "universalId",
            "realm",
            "sessionHandle",
            "latestAccessTime",
            "maxIdleExpirationTime",
            "maxSessionExpirationTime",
        ],
    );
    assert_eq!(users("realm%20eq%20%22%2Falpha%22").await.0, ["carol"]);
    let bobs = "username+eq+%22bob%22+and+realm+eq+%22%2F%22";
    assert_eq!(users(bobs).await.0, ["bob"]);
    assert_eq!(users("realm%20eq%20%22%2Fnone%22").await.0, [""; 0]);
    let (_, text) = users(&format!("{bobs}&_fields=username,realm")).await;
    assert!(
        text.starts_with(r#"{"result":[{"username":"bob","realm":"/"}],"resultCount":1"#),
        "{text}"
    );

    let all = am.get(&targets[1], &[(super::TOKEN, &admin)]).await;
    let all: Value = all.json();
    assert_eq!(all["result"].as_array().unwrap().len(), 2);
    assert!(all["result"][0]["timeleft"].as_u64().unwrap() > 100);
    let settings = am.get(&targets[3], &[(super::TOKEN, &admin)]).await;
    super::has_members(&settings.text(), &["_id", "_rev", "dynamic", "_type"]);
    let settings: Value = settings.json();
    assert_eq!(settings["dynamic"]["maxSessionTime"], 120);
    assert_eq!(settings["dynamic"]["maxIdleTime"], 60);
    assert_eq!(settings["dynamic"]["maxCachingTime"], 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn users_may_read_of_themselves() {
    let am = Am::start().await;
    let (bob, admin) = (am.login("bob").await, am.login("alice").await);
    let answer = am
        .get("/openam/json/users/bob", &[(super::TOKEN, &bob)])
        .await;
    let user: Value = answer.json();
    assert_eq!(user["_id"], "bob");
    assert_eq!(user["mail"], json!(["bob@example.com"]));
    assert_eq!(user["inetUserStatus"], json!(["Active"]));
    for (target, token, expected) in [
        ("/openam/json/users/alice", Some(&bob), 403),
        ("/openam/json/users/bob", Some(&admin), 403),
        ("/openam/json/users/bob", None, 401),
    ] {
        let mut headers: Vec<(&str, &str)> = Vec::new();
        headers.extend(token.map(|token| (super::TOKEN, token.as_str())));
        assert_eq!(am.get(target, &headers).await.status.as_u16(), expected);
    }
    let id = am
        .post(
            "/openam/json/users?_action=idFromSession",
            &[(super::TOKEN, &bob)],
            "",
        )
        .await;
    super::has_members(
        &id.text(),
        &["id", "realm", "dn", "successURL", "fullLoginURL"],
    );
    assert_eq!(id.json::<Value>()["id"], "bob");
    let anonymous = am
        .post("/openam/json/users?_action=idFromSession", &[], "")
        .await;
    let denied = r#"{"code":401,"reason":"Unauthorized","message":"Access Denied"}"#;
    super::is_exactly(&anonymous, 401, denied);
    assert_eq!(anonymous.header("content-api-version"), "");
}
