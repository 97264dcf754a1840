//! Ten thousand bad inputs of each kind: never 2xx, never a panic, never more memory.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use harness::gateway::Gateway;
use harness::policy_watch::Call;
use harness::{Protocol, RawClient};

use crate::support::{alone, get, logged_in};

const COUNT: usize = 10_000;
/// Bytes that the process may have grown by after everything: less than one bad input each, were it
/// kept.
const MAX_GROWTH: u64 = 32 * 1024 * 1024;

/// A small generator of the same numbers every time (xorshift64*).
pub struct Random(u64);

impl Random {
    /// Starts from `seed`, which is not zero.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub const fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end as u64).unwrap()
    }

    /// Up to `longest` bytes, each made from a random number by `byte`.
    pub fn bytes(&mut self, longest: usize, byte: fn(u64) -> u8) -> Vec<u8> {
        (0..self.below(longest))
            .map(|_| byte(self.next()))
            .collect()
    }

    /// One of several.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

fn any(number: u64) -> u8 {
    number.to_le_bytes()[3]
}

fn printable(number: u64) -> u8 {
    b'!' + any(number) % 94
}

/// Resident memory of this process, in bytes (proc(5): the second number of statm, in pages of 4 KiB).
pub fn resident_memory() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

/// A gateway with a plain listener as well: ten thousand connections without ten thousand handshakes.
async fn gateway() -> Gateway {
    Gateway::setup().with(PLAIN).start().await
}

/// Both listeners: an array that does not have names is replaced as a whole.
const PLAIN: &str = r#"
[[listeners]]
address = "127.0.0.1:0"
tls.certificates = [{ cert_file = "server.crt", key_file = "server.key" }]
[[listeners]]
address = "127.0.0.1:0"
"#;

struct Attacker {
    gateway: Gateway,
    connection: Option<RawClient>,
}

impl Attacker {
    /// Sends a request and returns the status, or nothing if the connection was closed instead. Keeps
    /// the connection as long as the gateway does.
    async fn send(&mut self, request: &[u8]) -> Option<u16> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => RawClient::connect_plain(self.gateway.addresses()[1]).await,
        };
        connection.send(request).await;
        let answer = connection.response().await?;
        let keeps = answer
            .header("connection")
            .is_none_or(|value| !value.eq_ignore_ascii_case("close"));
        if keeps && answer.status != 400 {
            self.connection = Some(connection);
        }
        Some(answer.status)
    }
}

/// How often each status was the answer.
type Statuses = BTreeMap<u16, usize>;

/// Asserts that each of these kinds of answer was given at least in one of twenty cases: were they all
/// of one kind, the attack would have looked at one check only.
#[track_caller]
fn assert_variety(statuses: &Statuses, kinds: &[&[u16]]) {
    for kind in kinds {
        let count: usize = kind.iter().filter_map(|status| statuses.get(status)).sum();
        assert!(count >= COUNT / 20, "{count} of {kind:?}: {statuses:?}");
    }
}

/// Plays one kind of attack, as the test named `test`, and checks what it must not have achieved.
/// Returns what the answers were, in the process of its own that it is played in.
async fn attack(test: &str, mut request: impl FnMut(&mut Random) -> Vec<u8>) -> Option<Statuses> {
    if alone(test).is_some() {
        return None;
    }
    let gateway = gateway().await;
    let mut random = Random::new(0x00dd_b1a5_e5ba_d5ee);
    let mut attacker = Attacker {
        gateway,
        connection: None,
    };
    let mut memory = 0;
    let mut statuses = Statuses::new();
    for number in 0..COUNT {
        let sent = request(&mut random);
        if let Some(status) = attacker.send(&sent).await {
            let shown = String::from_utf8_lossy(&sent[..sent.len().min(300)]);
            assert!(
                (300..500).contains(&status),
                "{status} for number {number}: {shown}"
            );
            *statuses.entry(status).or_default() += 1;
        }
        if number == COUNT / 10 {
            memory = resident_memory();
        }
    }
    let growth = resident_memory().saturating_sub(memory);
    assert!(growth < MAX_GROWTH, "{growth} bytes more");
    assert!(
        attacker.gateway.origin.requests().is_empty(),
        "the origin saw {:?}",
        attacker.gateway.origin.last()
    );
    for call in [Call::Validate, Call::Login] {
        assert_eq!(attacker.gateway.policy.count(call), 0, "{call:?}");
    }
    // And it still works.
    logged_in(&attacker.gateway, "alice", Protocol::Http1)
        .await
        .0
        .get("/app/")
        .await;
    assert_eq!(
        attacker.gateway.origin.last().header("SM_USER"),
        Some("alice")
    );
    Some(statuses)
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_cookies() {
    let statuses = attack("bad_input::bad_cookies", |random| {
        let value = match random.below(6) {
            0 => random.bytes(5000, printable),
            1 => random
                .bytes(300, any)
                .into_iter()
                .filter(|byte| !matches!(byte, b'\r' | b'\n' | 0))
                .collect(),
            2 => random.bytes(2000, |number| {
                b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
                    [(number % 64) as usize]
            }),
            3 => [
                b"AQEAAAAB".as_slice(),
                &random.bytes(900, |number| b'A' + (number % 26) as u8),
            ]
            .concat(),
            4 => b"SMSESSION=;".repeat(random.below(400)),
            _ => b"LOGGEDOFF".repeat(random.below(3)),
        };
        let name = random.pick(&[
            "SMSESSION",
            "smsession",
            "SMSESSION ",
            "\"SMSESSION\"",
            "__Host-SMLOGIN",
            "=",
            "",
        ]);
        [
            format!("GET /app/ HTTP/1.1\r\nHost: app.test\r\nCookie: {name}=").as_bytes(),
            &value,
            b"\r\n\r\n",
        ]
        .concat()
    })
    .await;
    if let Some(statuses) = statuses {
        assert_variety(&statuses, &[&[302, 401], &[400]]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_targets() {
    let statuses = attack("bad_input::bad_targets", |random| {
        let pieces = [
            "/",
            "app",
            "..",
            ".",
            "%2e",
            "%2f",
            "%5c",
            "\\",
            ";",
            "?",
            "#",
            "%00",
            "%",
            "//",
            "%ff",
            "strong",
            "*",
            "http:",
            "@",
            ":",
            "x",
            "%41",
            "%e2%82%ac",
            "=",
            "&",
            "-",
        ];
        let mut target = b"/app/".to_vec();
        for _ in 0..random.below(12) {
            target.extend(random.pick(&pieces).as_bytes());
        }
        if random.below(3) == 0 {
            target.extend(random.bytes(40, any));
        }
        if random.below(50) == 0 {
            target.extend(b"x".repeat(random.below(200_000)));
        }
        [
            b"GET ".as_slice(),
            &target,
            b" HTTP/1.1\r\nHost: app.test\r\n\r\n",
        ]
        .concat()
    })
    .await;
    if let Some(statuses) = statuses {
        assert_variety(&statuses, &[&[302, 401], &[400]]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_headers() {
    let statuses = attack("bad_input::bad_headers", |random| {
        let mut head = b"GET /app/ HTTP/1.1\r\nHost: app.test\r\n".to_vec();
        for _ in 0..=random.below(8) {
            match random.below(6) {
                0 => head.extend(random.bytes(60, any)),
                1 => head.extend(
                    [
                        random.bytes(30, printable),
                        b": ".to_vec(),
                        random.bytes(60, printable),
                    ]
                    .concat(),
                ),
                2 => head.extend(b"Content-Length: 1\r\nTransfer-Encoding: chunked"),
                3 => head.extend([b"X".repeat(random.below(3000)), b": y".to_vec()].concat()),
                4 => head.extend(b"Authorization: Basic ////"),
                _ => head.extend(b"Host: other.test"),
            }
            head.extend(b"\r\n");
        }
        head.extend(b"\r\n");
        head
    })
    .await;
    if let Some(statuses) = statuses {
        assert_variety(&statuses, &[&[302, 401], &[400]]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_bodies() {
    let statuses = attack("bad_input::bad_bodies", |random| {
        let body = match random.below(5) {
            0 => random.bytes(2000, any),
            1 => b"USER=alice&".repeat(random.below(200)),
            2 => [b"USER=alice&PASSWORD=".to_vec(), random.bytes(3000, printable)].concat(),
            3 => [b"USER=%ff%00&PASSWORD=%zz&STATE=".to_vec(), random.bytes(3000, printable)].concat(),
            _ => b"x".repeat(random.below(100_000)),
        };
        let target = random.pick(&["/doorward/login", "/app/", "/app/?do=sink", "/basic/"]);
        let kind = random.pick(&["application/x-www-form-urlencoded", "multipart/form-data", "application/json", "\"", ""]);
        let head = format!(
            "POST {target} HTTP/1.1\r\nHost: app.test\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        [head.into_bytes(), body].concat()
    })
    .await;
    if let Some(statuses) = statuses {
        assert_variety(&statuses, &[&[302, 401], &[400, 403, 415]]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_basic_credentials() {
    let statuses = attack("bad_input::bad_basic_credentials", |random| {
        let value = match random.below(4) {
            0 => random.bytes(600, printable),
            // Base64 of what has no colon, of what has no user name, and of no UTF-8.
            1 => encoded(&random.bytes(300, |number| b'a' + (number % 26) as u8)),
            2 => encoded(&[b":".to_vec(), random.bytes(300, printable)].concat()),
            _ => encoded(&[b"\xff:".to_vec(), random.bytes(9000, any)].concat()),
        };
        let scheme = random.pick(&["Basic ", "basic  ", "Basic", "Bearer ", ""]);
        [
            format!("GET /basic/ HTTP/1.1\r\nHost: app.test\r\nAuthorization: {scheme}").as_bytes(),
            &value,
            b"\r\n\r\n",
        ]
        .concat()
    })
    .await;
    if let Some(statuses) = statuses {
        assert_eq!(statuses, Statuses::from([(401, COUNT)]));
    }
}

fn encoded(bytes: &[u8]) -> Vec<u8> {
    STANDARD.encode(bytes).into_bytes()
}

/// A head that is too large ends early, and a head that never ends ends, too.
#[tokio::test(flavor = "multi_thread")]
async fn heads_have_bounds() {
    let gateway = Gateway::setup()
        .with("limits.head_size = \"16KiB\"\nlimits.head_timeout = \"1s\"")
        .start()
        .await;
    let mut raw = gateway.raw().await;
    raw.send(get("/open/", &[&format!("X: {}", "x".repeat(17_000))]))
        .await;
    let status = raw.response().await.map(|answer| answer.status);
    assert!(matches!(status, None | Some(400 | 431)), "{status:?}");
    let mut slow = gateway.raw().await;
    slow.send("GET /open/ HTTP/1.1\r\nHost: app.test\r\nX: ")
        .await;
    let answer = String::from_utf8_lossy(&slow.rest().await).into_owned();
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 408"),
        "{answer}"
    );
    assert!(gateway.origin.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_have_bounds_if_asked() {
    let gateway = Gateway::setup()
        .with("limits.body_size = \"10KiB\"")
        .start()
        .await;
    for protocol in Protocol::BOTH {
        let client = gateway.client(protocol);
        for (length, fits) in [(10 * 1024, true), (10 * 1024 + 1, false)] {
            let request = client
                .request(http::Method::POST, "/open/?do=sink")
                .body(harness::client::full(vec![b'x'; length]));
            let status = client
                .try_start(request.unwrap())
                .await
                .map(|response| response.status().as_u16());
            assert_eq!(matches!(status, Ok(200)), fits, "{length}: {status:?}");
        }
    }
}
