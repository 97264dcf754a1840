//! Logout.

use policy_protocol::Reason;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_token_ends_its_session_at_every_path_of_a_logout() {
    let gateway = setup().start().await;
    let client = client(&gateway);
    for path in [
        "/AuthRestService/logout",
        "/AuthRestService/logout/",
        "/AuthRestService/logout/app/app/x/",
        "/logout/app/app/",
        "/logout/",
    ] {
        let token = token(&gateway, "/app/x").await;
        let body = format!(
            "<logoutRequest>\n  <sessionToken>\n    {token}\n  </sessionToken>\n</logoutRequest>"
        );
        let answer = post(&client, &format!("/authazws{path}"), &body).await;
        assert_eq!(answer.status, 200);
        assert_eq!(
            answer.text(),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><logoutResponse><message>Logout successful</message>\
             <resultCode>LOGOUT_SUCCESS</resultCode></logoutResponse>"
        );
        refused(
            &holding(&gateway, &token, Protocol::Http1)
                .get("/app/")
                .await,
        );
        // It is dead everywhere, which is what success says.
        assert_eq!(code(&log_out(&client, &token).await), "LOGOUT_SUCCESS");
    }
    let token = token(&gateway, "/app/x").await;
    let body = serde_json::json!({ "sessionToken": token }).to_string();
    let answer = post_as(
        &client,
        &format!("{REST}/logout"),
        "application/json",
        &body,
    )
    .await;
    assert_eq!(
        answer.json::<serde_json::Value>()["resultCode"],
        "LOGOUT_SUCCESS"
    );
    refused(
        &holding(&gateway, &token, Protocol::Http1)
            .get("/app/")
            .await,
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_token_cannot_be_logged_out() {
    let gateway = setup().start().await;
    let client = client(&gateway);
    for token in ["LOGGEDOFF", "garbage", &"x".repeat(5000)] {
        let answer = log_out(&client, token).await;
        assert_eq!(answer.status, 200);
        assert_eq!(code(&answer), "LOGOUT_FAILURE");
        assert_eq!(reason(&answer), Some(Reason::INVALID_SESSION));
    }
    for body in [
        "",
        "<logoutRequest/>",
        "<logoutRequest><sessionToken/></logoutRequest>",
        "no",
    ] {
        let answer = post(&client, &format!("{REST}/logout/"), body).await;
        assert_eq!(answer.status, 400, "{body}");
        assert_eq!(code(&answer), "LOGOUT_FAILURE");
    }
    // The token is in the body. A cookie is somebody else's wish.
    let token = token(&gateway, "/app/x").await;
    let holding = holding(&gateway, &token, Protocol::Http1);
    let answer = post(&holding, &format!("{REST}/logout/"), "").await;
    assert_eq!(code(&answer), "LOGOUT_FAILURE");
    assert_eq!(holding.get("/app/").await.status, 200);
}

/// Here the session is over at once; success is what is true everywhere.
#[tokio::test(flavor = "multi_thread")]
async fn a_logout_that_cannot_be_told_is_never_a_success() {
    for resource in ["/app/x", "/stored/x"] {
        let gateway = setup().start().await;
        let client = client(&gateway);
        let token = token(&gateway, resource).await;
        gateway.policy.cut(policy_client::PolicyError::NoConnection);
        for _ in 0..2 {
            let answer = log_out(&client, &token).await;
            assert_eq!(answer.status, 500);
            assert_eq!(code(&answer), "SERVER_ERROR");
        }
        refused(
            &holding(&gateway, &token, Protocol::Http1)
                .get(resource)
                .await,
        );
        gateway.policy.open();
        harness::eventually("the logout succeeds", async || {
            let answer = log_out(&client, &token).await;
            (code(&answer) == "LOGOUT_SUCCESS").then_some(())
        })
        .await;
        let fresh = gateway.beside("").await;
        refused(&holding(&fresh, &token, Protocol::Http1).get(resource).await);
    }
}
