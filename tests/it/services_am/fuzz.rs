//! Whatever is asked, there is an answer in the shape of the API, and never an internal error.

use harness::gateway::PASSWORD;
use http::{Method, Uri};
use serde_json::Value;

use super::{Am, TOKEN};

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    /// Some of these, one after the other.
    fn several(&mut self, from: &[&str], joined_by: &str) -> String {
        let picked: Vec<&str> = (0..self.below(5)).map(|_| self.pick(from)).collect();
        picked.join(joined_by)
    }
}

const SEGMENTS: [&str; 22] = [
    "json",
    "realms",
    "root",
    "alpha",
    "sessions",
    "sessions",
    "authenticate",
    "serverinfo",
    "*",
    "version",
    "users",
    "bob",
    "policies",
    "realm-config",
    "services",
    "session",
    "TOKEN",
    "%C3%A4",
    "%F0%9F%98%80",
    "x;y=1",
    "'%22%3C",
    "cookieDomains",
];
const PARAMETERS: [&str; 34] = [
    "_action=validate",
    "_action=refresh",
    "_action=getSessionInfo",
    "_action=getProperty",
    "_action=setProperty",
    "_action=updateSessionProperties",
    "_action=evaluate",
    "_action=idFromSession",
    "_action=logoutByHandle",
    "_action=isActive",
    "_action",
    "_action=%00%FF",
    "_queryFilter=realm%20eq%20%22%2F%22",
    "_queryFilter=%22%5C",
    "_queryId=all",
    "_queryId=%22",
    "realm=%2F",
    "realm=%2Falpha",
    "realm=%FF",
    "tokenId=TOKEN",
    "tokenId=%00",
    "refresh=true",
    "refresh=false",
    "_fields=a,%2Fb,,",
    "_prettyPrint=true",
    "noSession=true",
    "ForceAuth=true",
    "sessionUpgradeSSOTokenId=TOKEN",
    "sessionUpgradeSSOTokenId=x",
    "authIndexType=level",
    "authIndexValue=9999999",
    "authIndexValue=5",
    "=",
    "%",
];
const BODIES: [&str; 22] = [
    "",
    "",
    "{}",
    "[]",
    "null",
    "1",
    "\"x\"",
    "{",
    "{\"a\":{\"b\":[1,2.5e300,-1,true,null]}}",
    "{\"tokenId\":\"TOKEN\"}",
    "{\"tokenId\":[]}",
    "{\"tokenId\":\"\\u0000\"}",
    "{\"properties\":[\"color\"]}",
    "{\"properties\":{}}",
    "{\"color\":\"\\ud83d\\ude00\"}",
    "{\"resources\":[\"https://app.test/app/\",\"\"]}",
    "{\"resources\":[\"https://app.test/app/\"],\"subject\":{\"ssoToken\":\"TOKEN\"},\"environment\":{\"requestIp\":[\"::1\"]}}",
    "{\"authId\":\"a.b.c\"}",
    "{\"authId\":\"eyJ9.e30.\",\"callbacks\":[{\"type\":\"NameCallback\",\"input\":[{}]}]}",
    "{\"sessionHandles\":[\"shandle:\",\"shandle:AAAAAAAAAAAAAAAAAAAAAAAAAAA\"]}",
    "{\"username\":\"nobody\"}",
    "{\"a\":1,\"a\":2}",
];
const HEADERS: [(&str, &[&str]); 7] = [
    (
        "accept-api-version",
        &[
            "resource=1.1",
            "resource=2.0",
            "resource=3.1",
            "resource=5.1",
            "x",
            "protocol=1.0",
            "resource=9.9",
        ],
    ),
    (TOKEN, &["TOKEN", "TOKEN", "TOKEN", "x", "LOGGEDOFF"]),
    (
        "cookie",
        &[
            "iPlanetDirectoryPro=TOKEN",
            "iPlanetDirectoryPro=\"",
            "=; =",
        ],
    ),
    (
        "content-type",
        &[
            "application/json",
            "text/plain",
            "application/json; charset=x",
            ";",
        ],
    ),
    ("x-openam-username", &["alice", "=?UTF-8?B?/w==?=", "=?x"]),
    ("x-openam-password", &["x", "=?UTF-8?Q?=?="]),
    ("authorization", &["Bearer TOKEN", "Bearer", "Basic eDp5"]),
];
const METHODS: [&str; 9] = [
    "GET", "POST", "POST", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY",
];

#[tokio::test(flavor = "multi_thread")]
async fn no_request_leads_to_an_internal_error() {
    let am = Am::start().await;
    let token = am.login("alice").await;
    let mut dice = Dice(20_260_101);
    let mut answered = std::collections::BTreeMap::new();
    for _ in 0..1500 {
        let path = if dice.below(3) == 0 {
            dice.several(&SEGMENTS, "/")
        } else {
            format!(
                "json/{}",
                dice.pick(&[
                    "sessions",
                    "authenticate",
                    "policies",
                    "users",
                    "serverinfo/*",
                    "alpha/sessions"
                ])
            )
        };
        let query = dice.several(&PARAMETERS, "&");
        let target = format!("/openam/{path}?{query}").replace("TOKEN", &token);
        let mut headers = Vec::new();
        for (name, values) in HEADERS {
            if dice.below(2) == 0 {
                headers.push((name, dice.pick(values).replace("TOKEN", &token)));
            }
        }
        let headers: Vec<(&str, &str)> = headers
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let method = Method::from_bytes(dice.pick(&METHODS).as_bytes()).unwrap();
        let body = dice.pick(&BODIES).replace("TOKEN", &token);
        if target.parse::<Uri>().is_err() {
            continue;
        }
        let answer = am.call(method.clone(), &target, &headers, &body).await;
        let status = answer.status.as_u16();
        let told = || {
            format!(
                "{method} {target} {headers:?} {body}: {status} {}",
                answer.text()
            )
        };
        assert!(status != 500 && status != 503, "{}", told());
        *answered.entry(status).or_insert(0) += 1;
        assert!(!answer.text().contains(PASSWORD), "{}", told());
        // What has two readings is refused before anybody looks at what it is for.
        if answer.header("content-type") == "application/json;charset=UTF-8" {
            let json: Value = answer.json();
            if status != 200 {
                let short = json.get("errorMessage").is_some();
                assert!(short || json["code"] == status, "{}", told());
            }
        } else {
            assert!(matches!(status, 400 | 405), "{}", told());
        }
    }
    for status in [200, 400, 401, 404, 501] {
        assert!(answered.contains_key(&status), "{answered:?}");
    }
}
