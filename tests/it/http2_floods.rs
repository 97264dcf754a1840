//! HTTP/2 as a weapon: little to send, much to serve (CVE-2023-44487, CVE-2025-8671, RUSTSEC-2024-0332,
//! CVE-2026-49975 and its kind). The connection that does it ends; nobody else notices.

use std::sync::Arc;

use harness::gateway::Gateway;
use harness::raw_http2::{
    ACK, CONTINUATION, END_HEADERS, END_STREAM, Frame, GOAWAY, HEADERS, PING, RST_STREAM, RawHttp2,
    SETTINGS, WINDOW_UPDATE, encode, frame,
};
use harness::{Protocol, eventually};

use crate::bad_input::resident_memory;
use crate::support::alone;

const ATTACKERS: usize = 4;
const STREAMS: u32 = 5_000;
/// ENHANCE_YOUR_CALM (RFC 9113, section 7).
const CALM: u32 = 11;
/// Every one of them waits at the origin, were it let through.
const TARGET: &[u8] = b"/open/?do=slow-head";

/// A gateway that ends nothing for being idle: what ends a connection here is what it did.
async fn gateway() -> Gateway {
    Gateway::setup()
        .with("limits.head_timeout = \"10m\"")
        .start()
        .await
}

fn head(method: &[u8], target: &[u8]) -> Vec<u8> {
    encode(&[
        (b":method", method),
        (b":scheme", b"https"),
        (b":authority", b"app.test"),
        (b":path", target),
    ])
}

/// How a connection took what was sent on it.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// It went on.
    Alive,
    /// It was ended, with this error if one could be read.
    Ended(Option<u32>),
}

/// Asks whether the gateway still reads this connection.
async fn outcome(client: &mut RawHttp2) -> Outcome {
    client.send(&frame(PING, 0, 0, b"is alive")).await;
    while let Some(frame) = client.next().await {
        match frame.kind {
            PING if frame.flags & ACK != 0 => return Outcome::Alive,
            GOAWAY => {
                let code = frame.payload[4..8].try_into().expect("four bytes");
                return Outcome::Ended(Some(u32::from_be_bytes(code)));
            }
            _ => {}
        }
    }
    Outcome::Ended(None)
}

/// Sends `flood` on several connections at once, while somebody else goes on working. Each of them must
/// be ended for it.
async fn flood(gateway: &Gateway, flood: Vec<u8>) {
    let flood = Arc::new(flood);
    let mut attacks = tokio::task::JoinSet::new();
    for _ in 0..ATTACKERS {
        let mut client = gateway.raw_http2().await;
        let flood = Arc::clone(&flood);
        attacks.spawn(async move {
            client.send(&flood).await;
            outcome(&mut client).await
        });
    }
    for protocol in Protocol::BOTH {
        let client = gateway.client(protocol);
        for _ in 0..20 {
            assert_eq!(client.get("/open/bystander").await.status, 200);
        }
    }
    while let Some(outcome) = attacks.join_next().await {
        match outcome.unwrap() {
            // Whoever still writes when the connection ends may be told by TCP alone.
            Outcome::Ended(None) => {}
            Outcome::Ended(Some(code)) => assert_eq!(code, CALM),
            Outcome::Alive => panic!("the connection goes on"),
        }
    }
    assert_eq!(
        gateway.client(Protocol::Http2).get("/open/").await.status,
        200
    );
}

/// The origin's requests that the attackers caused.
fn let_through(gateway: &Gateway) -> usize {
    gateway
        .origin
        .count_of(std::str::from_utf8(TARGET).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_are_reset_at_once_end_the_connection() {
    let gateway = gateway().await;
    let request = head(b"GET", TARGET);
    let mut frames = Vec::new();
    for stream in (1..).step_by(2).take(STREAMS as usize) {
        frames.extend(frame(HEADERS, END_HEADERS | END_STREAM, stream, &request));
        frames.extend(frame(RST_STREAM, 0, stream, &8u32.to_be_bytes()));
    }
    flood(&gateway, frames).await;
    let count = let_through(&gateway);
    assert!(count < 100 * ATTACKERS, "the origin saw {count} requests");
}

/// MadeYouReset: the client breaks a rule of each stream, and the resets are the gateway's own.
#[tokio::test(flavor = "multi_thread")]
async fn requests_that_we_are_made_to_reset_end_the_connection() {
    let gateway = gateway().await;
    let request = head(b"GET", TARGET);
    let mut frames = Vec::new();
    for stream in (1..).step_by(2).take(STREAMS as usize) {
        frames.extend(frame(HEADERS, END_HEADERS | END_STREAM, stream, &request));
        // The window overflows.
        frames.extend(frame(
            WINDOW_UPDATE,
            0,
            stream,
            &0x7fff_ffff_u32.to_be_bytes(),
        ));
    }
    flood(&gateway, frames).await;
    let count = let_through(&gateway);
    assert!(count < 400 * ATTACKERS, "the origin saw {count} requests");
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_that_never_end_end_the_connection() {
    for more in [
        encode(&[(b"x", b"y")]),
        Vec::new(),
        encode(&[(b"x", &[b'z'; 16_000])]),
    ] {
        let gateway = gateway().await;
        let mut frames = frame(HEADERS, END_STREAM, 1, &head(b"GET", b"/open/attack"));
        for _ in 0..10_000_000 / (more.len() + 1_000) {
            frames.extend(frame(CONTINUATION, 0, 1, &more));
        }
        flood(&gateway, frames).await;
        assert_eq!(gateway.origin.count_of("/open/attack"), 0);
    }
}

/// A head with `crumbs` cookies of a byte each: the first goes into the dynamic table (RFC 7541, section
/// 6.2.1; `cookie` is number 32 of the static one), the others refer to it (section 6.1).
fn crumbs(target: &[u8], crumbs: usize) -> Vec<u8> {
    let mut block = head(b"GET", target);
    block.extend([0x40 | 32, 1, b'c']);
    block.extend(vec![0x80 | 62; crumbs - 1]);
    block
}

/// Opens 100 streams with `crumbs` cookies each, on a connection that takes no data.
async fn bomb(gateway: &Gateway, block: &[u8]) -> RawHttp2 {
    let mut client = gateway.raw_http2().await;
    // SETTINGS_INITIAL_WINDOW_SIZE = 0
    let mut frames = frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]);
    for stream in (1..).step_by(2).take(100) {
        frames.extend(frame(HEADERS, END_HEADERS | END_STREAM, stream, block));
    }
    client.send(&frames).await;
    client
}

/// The heads and resets that come back for 100 streams, unless the connection ends before.
async fn answers(client: &mut RawHttp2) -> Vec<Frame> {
    let mut answers = Vec::new();
    while answers.len() < 100
        && let Some(frame) = client.next().await
        && frame.kind != GOAWAY
    {
        if matches!(frame.kind, HEADERS | RST_STREAM) {
            answers.push(frame);
        }
    }
    answers
}

/// A byte on the wire must not become a hundred in memory for as long as the client likes.
#[tokio::test(flavor = "multi_thread")]
async fn crumbs_of_cookies_are_few_or_refused() {
    // A hundred heads of the greatest size are 3 MiB as HTTP/2 counts them. Read, and with what the
    // client and the origin in this process hold of them, they were 8 to 14 MiB when this was written.
    const MAX_GROWTH: u64 = 24 * 1024 * 1024;
    if alone("http2_floods::crumbs_of_cookies_are_few_or_refused").is_some() {
        return;
    }
    let gateway = gateway().await;
    let waiting = async |count: usize| {
        eventually("the requests are at the origin", async || {
            (let_through(&gateway) == count).then_some(())
        })
        .await;
    };
    // What a hundred requests cost without crumbs is not the question.
    let mut innocent = bomb(&gateway, &crumbs(TARGET, 1)).await;
    waiting(100).await;
    let before = resident_memory();
    gateway.origin.release(100);
    assert_eq!(answers(&mut innocent).await.len(), 100);
    drop(innocent);

    // Three times the limit of bytes: each is refused by itself.
    let mut refused = bomb(&gateway, &crumbs(b"/open/attack", 3_000)).await;
    for answer in answers(&mut refused).await {
        // `:status: 431` in Huffman code, which then is the newest entry of the dynamic table.
        let is_431 = matches!(
            answer.payload[..],
            [0x48, 0x83, 0x69, 0x90, 0xff, ..] | [0xbe]
        );
        assert!(is_431 || answer.kind != HEADERS, "{answer:?}");
    }
    // Within that limit, and more fields than anybody needs: refused before anything is forwarded.
    let many = bomb(&gateway, &crumbs(b"/open/attack", 800)).await;
    // Five times: the connection ends.
    let mut ended = bomb(&gateway, &crumbs(b"/open/attack", 4_300)).await;
    let end = outcome(&mut ended).await;
    assert_ne!(end, Outcome::Alive);
    assert_eq!(gateway.origin.count_of("/open/attack"), 0);

    drop(many);
    // As many as are allowed, held for as long as the origin takes, and then by the shut window.
    let mut held = bomb(&gateway, &crumbs(TARGET, 500)).await;
    waiting(200).await;
    let in_progress = resident_memory();
    gateway.origin.release(100);
    assert_eq!(answers(&mut held).await.len(), 100);
    let growth = resident_memory().max(in_progress).saturating_sub(before);
    println!("{growth} bytes more");
    assert!(growth < MAX_GROWTH, "{growth} bytes more");
    drop((refused, ended));
}
