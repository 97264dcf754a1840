//! Bodies are streamed: constant memory, and nobody waits for somebody else.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use harness::client::{AnyBody, boxed, empty};
use harness::gateway::Gateway;
use harness::{Origin, Protocol, SeenRequest, eventually, within};
use http::Method;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;

use crate::bad_input::resident_memory;
use crate::support::{alone, logged_in};

const GIBIBYTE: u64 = 1024 * 1024 * 1024;
/// Far below a body, far above the buffers of all connections.
const MAX_GROWTH: u64 = 64 * 1024 * 1024;
static BLOCK: [u8; 64 * 1024] = [b'u'; 64 * 1024];

/// Watches the memory of this process from a thread of its own, so that no task can hold it up.
struct MemoryWatch {
    shared: Arc<Samples>,
    before: u64,
    /// The thread ends when this is gone.
    _watching: Sender<()>,
}

#[derive(Default)]
struct Samples {
    most: AtomicU64,
    count: AtomicUsize,
}

impl MemoryWatch {
    fn start() -> Self {
        let shared = Arc::<Samples>::default();
        let samples = Arc::clone(&shared);
        let (watching, over) = channel();
        std::thread::spawn(move || {
            let pause = Duration::from_millis(2);
            while over.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                samples.most.fetch_max(resident_memory(), Ordering::Relaxed);
                samples.count.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self {
            shared,
            before: resident_memory(),
            _watching: watching,
        }
    }

    /// Returns when `count` more samples were taken.
    async fn samples(&self, count: usize) {
        let now = || self.shared.count.load(Ordering::Relaxed);
        let wanted = now() + count;
        eventually("samples of memory", async || {
            (now() >= wanted).then_some(())
        })
        .await;
    }

    /// Asserts that at no time the process was much larger than at the start.
    #[track_caller]
    fn assert_little(&self, what: &str) {
        let most = self.shared.most.load(Ordering::Relaxed);
        let growth = most.max(resident_memory()).saturating_sub(self.before);
        assert!(growth < MAX_GROWTH, "{what}: {growth} bytes more");
    }
}

fn upload(length: u64) -> AnyBody {
    let blocks = length / BLOCK.len() as u64;
    let frames =
        (0..blocks).map(|_| Ok::<_, std::io::Error>(Frame::data(Bytes::from_static(&BLOCK))));
    boxed(StreamBody::new(stream::iter(frames)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gibibyte_up_and_down_takes_no_memory() {
    if alone("streaming::a_gibibyte_up_and_down_takes_no_memory").is_some() {
        return;
    }
    let gateway = Gateway::start().await;
    for protocol in Protocol::BOTH {
        let (client, _) = logged_in(&gateway, "alice", protocol).await;
        let memory = MemoryWatch::start();
        let request = client
            .request(Method::GET, &format!("/app/?do=stream&n={GIBIBYTE}"))
            .body(empty())
            .unwrap();
        let mut body = client.start(request).await.into_body();
        let mut received = 0;
        while let Some(frame) = within("the next part", body.frame()).await {
            received += frame
                .unwrap()
                .into_data()
                .map_or(0, |data| data.len() as u64);
        }
        assert_eq!(received, GIBIBYTE);
        memory.assert_little("download");
        let request = client
            .request(Method::PUT, "/app/?do=sink")
            .body(upload(GIBIBYTE))
            .unwrap();
        let answer = client
            .start(request)
            .await
            .into_body()
            .collect()
            .await
            .unwrap()
            .to_bytes();
        assert_eq!(answer, GIBIBYTE.to_string());
        memory.assert_little("upload");
    }
}

/// A body of the parts that are sent, as they come.
fn body_in_parts() -> (tokio::sync::mpsc::Sender<Bytes>, AnyBody) {
    let (sender, receiver) = tokio::sync::mpsc::channel::<Bytes>(1);
    let frames = stream::unfold(receiver, |mut receiver| async {
        let data = receiver.recv().await?;
        Some((Ok::<_, std::io::Error>(Frame::data(data)), receiver))
    });
    (sender, boxed(StreamBody::new(frames)))
}

/// The upload is at the origin before its end is known.
#[tokio::test(flavor = "multi_thread")]
async fn an_upload_is_forwarded_as_it_comes() {
    let gateway = Gateway::start().await;
    for protocol in Protocol::BOTH {
        let client = gateway.client(protocol);
        let (sender, body) = body_in_parts();
        let request = client
            .request(Method::POST, "/open/?do=sink")
            .body(body)
            .unwrap();
        let answer = tokio::spawn(async move { client.send(request).await });
        let before = gateway.origin.bytes_seen();
        sender.send(Bytes::from(vec![b'x'; 100_000])).await.unwrap();
        eventually("the first part arrives", async || {
            (gateway.origin.bytes_seen() >= before + 100_000).then_some(())
        })
        .await;
        assert!(!answer.is_finished());
        sender.send(Bytes::from_static(b"the end")).await.unwrap();
        drop(sender);
        assert_eq!(answer.await.unwrap().text(), "100007");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_answers_hold_nobody_up() {
    let gateway = Gateway::start().await;
    for protocol in Protocol::BOTH {
        let client = Arc::new(gateway.client(protocol));
        let slow_requests = || gateway.origin.count_of("/open/?do=slow");
        let before = slow_requests();
        let slow: Vec<_> = ["/open/?do=slow-head", "/open/?do=slow-body"]
            .repeat(20)
            .into_iter()
            .map(|target| {
                let client = Arc::clone(&client);
                tokio::spawn(async move { client.get(target).await })
            })
            .collect();
        eventually("all are there", async || {
            (slow_requests() == before + 40).then_some(())
        })
        .await;
        for _ in 0..20 {
            assert_eq!(client.get("/open/quick").await.status, 200);
        }
        assert!(slow.iter().all(|task| !task.is_finished()));
        gateway.origin.release(40);
        for task in slow {
            assert_eq!(task.await.unwrap().status, 200);
        }
    }
}

/// Clients that do not read fill their own windows and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn clients_that_do_not_read_hold_nobody_up() {
    if alone("streaming::clients_that_do_not_read_hold_nobody_up").is_some() {
        return;
    }
    let gateway = Gateway::start().await;
    for protocol in Protocol::BOTH {
        let memory = MemoryWatch::start();
        let client = gateway.client(protocol);
        let mut stalled = Vec::new();
        for _ in 0..20 {
            let request = client
                .request(Method::GET, "/open/?do=stream&n=100000000")
                .body(empty())
                .unwrap();
            stalled.push(client.start(request).await);
        }
        let other = gateway.client(protocol);
        for _ in 0..20 {
            assert_eq!(other.get("/open/quick").await.status, 200);
        }
        // Time enough for two gigabytes to come from the origin, if anybody took them.
        memory.samples(500).await;
        memory.assert_little("while clients stall");
        drop(stalled);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn trailers_pass_both_ways() {
    let gateway = Gateway::start().await;
    for protocol in Protocol::BOTH {
        let client = gateway.client(protocol);
        let request = client
            .request(Method::GET, "/open/?do=trailers")
            .header("te", "trailers")
            .body(empty())
            .unwrap();
        let answer = client.send(request).await;
        assert_eq!(answer.text(), "body");
        assert_eq!(
            answer.trailers.expect("trailers")["x-checksum"],
            "abc",
            "{protocol:?}"
        );
    }
    let client = gateway.client(Protocol::Http2);
    let trailers = http::HeaderMap::from_iter([(
        "x-sum".parse().unwrap(),
        http::HeaderValue::from_static("1"),
    )]);
    let frames = [
        Frame::data(Bytes::from_static(b"ab")),
        Frame::trailers(trailers),
    ]
    .map(Ok::<_, std::io::Error>);
    let body = boxed(StreamBody::new(stream::iter(frames)));
    client
        .send(
            client
                .request(Method::POST, "/open/")
                .header("trailer", "x-sum")
                .body(body)
                .unwrap(),
        )
        .await;
    assert_eq!(
        gateway.origin.last().trailers,
        [("x-sum".to_owned(), "1".to_owned())]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_in_the_manner_of_grpc_pass_over_http2() {
    let gateway = Gateway::setup()
        .origin(Origin::start_h2c().await)
        .with("[[upstreams]]\nname = \"origin\"\nhttp2 = true")
        .start()
        .await;
    let (client, _) = logged_in(&gateway, "alice", Protocol::Http2).await;
    let (sender, body) = body_in_parts();
    let request = client
        .request(Method::POST, "/app/Service/Method")
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(body)
        .unwrap();
    let mut answer = within("the head", client.start(request)).await.into_body();
    for message in ["ping", "pong"] {
        sender
            .send(Bytes::from_static(message.as_bytes()))
            .await
            .unwrap();
        let frame = within("an echo", answer.frame()).await.unwrap().unwrap();
        assert_eq!(
            frame.into_data().unwrap(),
            message,
            "both directions at once"
        );
    }
    drop(sender);
    let trailers = within("the trailers", answer.frame())
        .await
        .unwrap()
        .unwrap()
        .into_trailers()
        .unwrap();
    assert_eq!(trailers["grpc-status"], "0");
    let seen = gateway.origin.last();
    assert_eq!(seen.header("SM_USER"), Some("alice"));
    assert_eq!(seen.header("te"), Some("trailers"));
    let plain: SeenRequest = client.get("/app/plain").await.json();
    assert_eq!(plain.version, "HTTP/2.0");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_that_breaks_off_is_an_error_and_not_a_short_answer() {
    let gateway = Gateway::start().await;
    for protocol in Protocol::BOTH {
        let client = gateway.client(protocol);
        let request = client
            .request(Method::GET, "/open/?do=break-off")
            .body(empty())
            .unwrap();
        let body = client.start(request).await.into_body();
        assert!(
            body.collect().await.is_err(),
            "{protocol:?}: ten of a hundred bytes are not a whole answer"
        );
        assert_eq!(client.get("/open/?do=hang-up").await.status, 502);
        assert_eq!(client.get("/open/").await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_safe_to_repeat_is_repeated() {
    let gateway = Gateway::start().await;
    let client = gateway.client(Protocol::Http1);
    let request = client
        .request(Method::POST, "/open/?do=hang-up")
        .body(harness::client::full("once"))
        .unwrap();
    assert_eq!(client.send(request).await.status, 502);
    assert_eq!(gateway.origin.count_of("/open/?do=hang-up"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_away_is_passed_over() {
    let gone = Origin::start().await;
    let address = gone.address();
    drop(gone);
    let gateway = Gateway::start().await;
    let servers = format!(
        "[[upstreams]]\nname = \"origin\"\nservers = [\"http://{address}\", {:?}]",
        gateway.origin.url()
    );
    let balanced = gateway.beside(&servers).await;
    let client = balanced.client(Protocol::Http1);
    for _ in 0..6 {
        assert_eq!(client.get("/open/").await.status, 200);
    }
    let nobody = gateway
        .beside(&format!(
            "[[upstreams]]\nname = \"origin\"\nservers = [\"http://{address}\"]"
        ))
        .await;
    assert_eq!(
        nobody.client(Protocol::Http1).get("/open/").await.status,
        502
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_https_upstream_is_verified() {
    let pki = harness::Pki::default();
    let origin = Origin::start_tls(&pki.server(&["localhost"])).await;
    let gateway = Gateway::setup()
        .pki(pki)
        .origin(origin)
        .with("[[upstreams]]\nname = \"origin\"\nca_file = \"ca.crt\"")
        .start()
        .await;
    assert_eq!(
        gateway.client(Protocol::Http2).get("/open/").await.status,
        200
    );
    std::fs::write(
        gateway.folder.path().join("other.crt"),
        harness::Pki::new("Other CA").ca_pem(),
    )
    .unwrap();
    let stranger = gateway
        .beside("[[upstreams]]\nname = \"origin\"\nca_file = \"other.crt\"")
        .await;
    let before = gateway.origin.requests().len();
    assert_eq!(
        stranger.client(Protocol::Http2).get("/open/").await.status,
        502
    );
    assert_eq!(gateway.origin.requests().len(), before);
}
