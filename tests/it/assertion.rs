//! The signed identity assertion: an upstream can check who said so.

use std::time::Duration;

use harness::gateway::Gateway;
use harness::{Protocol, SeenRequest};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::Value;

use crate::support::logged_in;

const CONFIG: &str = "[identity.assertion]\nissuer = \"https://app.test\"\nlifetime = \"5m\"";

fn check(token: &str, keys: &JwkSet, audience: &str) -> Result<Value, jsonwebtoken::errors::Error> {
    let header = jsonwebtoken::decode_header(token)?;
    let key = keys
        .find(header.kid.as_deref().unwrap_or_default())
        .expect("a key of that name");
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_audience(&[audience]);
    validation.set_issuer(&["https://app.test"]);
    jsonwebtoken::decode::<Value>(token, &DecodingKey::from_jwk(key)?, &validation)
        .map(|token| token.claims)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assertion_is_checked_against_the_published_keys() {
    let gateway = Gateway::setup().with(CONFIG).start().await;
    let (client, cookie) = logged_in(&gateway, "alice", Protocol::Http1).await;
    let seen: SeenRequest = client.get("/app/").await.json();
    let token = seen
        .header("x-doorward-assertion")
        .expect("an assertion")
        .to_owned();
    let keys: JwkSet = client.get("/doorward/jwks.json").await.json();
    let claims = check(&token, &keys, "origin").unwrap();
    assert_eq!(claims["name"], "alice");
    assert_eq!(claims["sub"], seen.header("SM_UNIVERSALID").unwrap());
    assert_eq!(
        claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(),
        300
    );
    assert!(
        claims["groups"]
            .as_array()
            .unwrap()
            .contains(&"staff".into())
    );
    assert!(check(&token, &keys, "another application").is_err());
    let session_id = seen.header("SM_SERVERSESSIONID").unwrap();
    assert!(!claims.to_string().contains(session_id) && !claims.to_string().contains(&cookie));
    for private in ["\"d\"", "\"k\"", "\"p\""] {
        assert!(
            !client
                .get("/doorward/jwks.json")
                .await
                .text()
                .contains(private),
            "a private key is published"
        );
    }

    let mut forged: Vec<String> = token.split('.').map(String::from).collect();
    forged[1] = forged[1].replace(char::from(forged[1].as_bytes()[10]), "A");
    assert!(check(&forged.join("."), &keys, "origin").is_err());

    let other = gateway.beside("").await;
    let keys: JwkSet = other
        .client(Protocol::Http2)
        .get("/doorward/jwks.json")
        .await
        .json();
    assert!(
        check(&token, &keys, "origin").is_ok(),
        "every agent publishes the same keys"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assertion_is_renewed_before_it_ends() {
    let gateway = Gateway::setup().with(CONFIG).start().await;
    let (client, _) = logged_in(&gateway, "alice", Protocol::Http1).await;
    let mut last = String::new();
    for _ in 0..4 {
        let seen: SeenRequest = client.get("/app/").await.json();
        let token = seen.header("x-doorward-assertion").unwrap().to_owned();
        assert_ne!(token, last);
        last = token;
        gateway.clock.advance(Duration::from_secs(200));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_none_for_nobody() {
    let gateway = Gateway::setup().with(CONFIG).start().await;
    let client = gateway.client(Protocol::Http1);
    let request = client
        .request(http::Method::GET, "/open/")
        .header("x-doorward-assertion", "forged");
    let seen: SeenRequest = client
        .send(request.body(harness::client::empty()).unwrap())
        .await
        .json();
    assert_eq!(seen.header("x-doorward-assertion"), None);
}
