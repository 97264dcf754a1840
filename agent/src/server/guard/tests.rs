use std::sync::Mutex;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

use super::*;

/// What a client gets back for pieces it sends, which requests the service was called for, and whether
/// each one's body ended well.
async fn exchange(pieces: &[&[u8]]) -> (String, Vec<(String, bool)>) {
    let (mut client, server) = duplex(64 * 1024);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let upgraded = Arc::new(AtomicBool::new(false));
    let guard = Guard::new(server, 4096, upgraded, Arc::default());
    let service = service_fn(|request: Request<Incoming>| {
        let seen = Arc::clone(&seen);
        async move {
            let path = request.uri().path().to_owned();
            let sound = request.into_body().collect().await.is_ok();
            seen.lock().unwrap().push((path, sound));
            Ok::<_, std::convert::Infallible>(Response::new(Full::new(Bytes::from("served"))))
        }
    });
    let serve = http1::Builder::new().serve_connection(TokioIo::new(guard), service);
    let talk = async {
        for piece in pieces {
            // A server that has refused already does not listen.
            let _ = client.write_all(piece).await;
            // Lets the server take the piece on its own.
            for _ in 0..10 {
                tokio::task::yield_now().await;
            }
        }
        let _ = client.shutdown().await;
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        answer
    };
    let (_ended, answer) = tokio::join!(serve, talk);
    let seen = seen.lock().unwrap().clone();
    (answer, seen)
}

fn count(answer: &str, status: &str) -> usize {
    answer.matches(&format!("HTTP/1.1 {status}")).count()
}

const GOOD: &[u8] = b"GET /good HTTP/1.1\r\nHost: a\r\n\r\n";

const CHUNKED: &[u8] =
    b"POST /up HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nA: b\r\n\r\n";

const GOOD_ONES: [&[u8]; 3] = [
    GOOD,
    CHUNKED,
    b"POST /len HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
];

const BAD: [&[u8]; 8] = [
    b"GET /bad#x HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /bad HTTP/1.1\nHost: a\n\n",
    b"GET /bad HTTP/1.1\r\n\r\n",
    b"GET /bad HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
    b"POST /bad HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /bad HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    b"POST /bad HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;a\nb\r\nab\r\n0\r\n\r\n",
    b"POST /bad HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2 \r\nab\r\n0\r\n\r\n",
];

#[tokio::test]
async fn hyper_answers_bad_requests_with_400_and_the_service_never_sees_them() {
    for bad in BAD {
        let (answer, seen) = exchange(&[bad]).await;
        assert_eq!(
            count(&answer, "400"),
            1,
            "{}: {answer}",
            String::from_utf8_lossy(bad)
        );
        assert_eq!(seen, []);
    }
}

#[tokio::test]
async fn sound_requests_before_a_bad_one_are_served_and_none_after_it() {
    for bad in BAD {
        let (answer, seen) = exchange(&[&[GOOD, bad, GOOD].concat()]).await;
        assert_eq!(
            (count(&answer, "200"), count(&answer, "400")),
            (1, 1),
            "{answer}"
        );
        assert_eq!(seen, [("/good".to_owned(), true)]);
    }
}

#[tokio::test]
async fn a_bad_head_is_refused_wherever_it_is_cut() {
    for bad in &BAD[..6] {
        for cut in 1..bad.len() {
            let (answer, seen) = exchange(&[&bad[..cut], &bad[cut..]]).await;
            assert!(
                seen.iter().all(|(_, sound)| !sound),
                "{}",
                String::from_utf8_lossy(&bad[..cut])
            );
            assert_eq!(
                (count(&answer, "400"), count(&answer, "200")),
                (1, 0),
                "at {cut}: {answer}"
            );
        }
    }
}

#[tokio::test]
async fn a_body_that_turns_bad_breaks_off() {
    let head = b"POST /up HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n";
    for rest in [
        &b"0x1\r\na\r\n0\r\n\r\n"[..],
        b"1\na\r\n0\r\n\r\n",
        b"1 \r\na\r\n0\r\n\r\n",
    ] {
        let (_, seen) = exchange(&[head, rest]).await;
        assert_eq!(
            seen,
            [("/up".to_owned(), false)],
            "the body must not seem complete"
        );
    }
}

#[tokio::test]
async fn pipelined_and_chunked_requests_pass() {
    let all = [GOOD, CHUNKED, GOOD].concat();
    for cut in 1..all.len() {
        let (answer, seen) = exchange(&[&all[..cut], &all[cut..]]).await;
        assert_eq!(count(&answer, "200"), 3, "at {cut}: {answer}");
        assert!(seen.iter().all(|(_, sound)| *sound));
    }
}

#[tokio::test]
async fn a_tunnel_is_left_alone() {
    let (mut client, server) = duplex(64);
    let upgraded = Arc::new(AtomicBool::new(true));
    let mut guard = Guard::new(server, 4096, upgraded, Arc::default());
    client.write_all(b"\n\0#").await.unwrap();
    let mut got = [0; 3];
    guard.read_exact(&mut got).await.unwrap();
    assert_eq!(&got, b"\n\0#");
}

#[tokio::test]
async fn violations_are_counted() {
    let (mut client, server) = duplex(64);
    let violations = Arc::new(AtomicU64::new(0));
    let mut guard = Guard::new(server, 4096, Arc::default(), Arc::clone(&violations));
    client.write_all(b"bad\n").await.unwrap();
    let mut got = Vec::new();
    guard.read_to_end(&mut got).await.unwrap();
    assert_eq!(
        (got.as_slice(), violations.load(Ordering::Relaxed)),
        (POISON, 1)
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn exactly_the_requests_before_the_first_bad_one_are_served_however_they_arrive(
        messages in prop::collection::vec(0usize..GOOD_ONES.len() + BAD.len() / 2, 1..6),
        cuts in prop::collection::vec(0usize..600, 0..8),
    ) {
        let message = |&index: &usize| *GOOD_ONES.get(index).unwrap_or_else(|| &BAD[2 * (index - GOOD_ONES.len())]);
        let bytes: Vec<u8> = messages.iter().flat_map(message).copied().collect();
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let pieces: Vec<_> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (_, seen) = runtime.block_on(exchange(&pieces));
        let sound = messages.iter().take_while(|index| **index < GOOD_ONES.len()).count();
        prop_assert_eq!(seen.iter().filter(|(_, sound)| *sound).count(), sound);
        prop_assert!(seen.iter().take(sound).all(|(path, _)| path != "/bad"));
    }
}
