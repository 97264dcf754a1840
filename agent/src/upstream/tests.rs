use std::net::SocketAddr;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::config::Balance;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn settings(servers: &[SocketAddr]) -> config::Upstream {
    config::Upstream {
        name: "app".to_owned(),
        servers: servers
            .iter()
            .map(|server| format!("http://{server}").parse().unwrap())
            .collect(),
        http2: false,
        balance: Balance::RoundRobin,
        ca_file: None,
        health: None,
        connect_timeout: Duration::from_secs(5),
        response_timeout: Duration::from_secs(60),
        idle_timeout: Duration::from_secs(60),
        keep_alive: Duration::from_secs(30),
        max_idle: 4,
        preserve_host: true,
    }
}

fn upstream(settings: config::Upstream) -> Upstream {
    Upstream::build(&Arc::new(settings), 1).unwrap()
}

async fn forward(
    upstream: &Upstream,
    request: Request<RequestBody>,
) -> Result<Response<Body>, Denial> {
    upstream.forward(request, &Arc::default(), None, 0).await
}

fn request(
    method: Method,
    path: &str,
    headers: &[(&'static str, &'static str)],
) -> Request<RequestBody> {
    let mut request = Request::new(RequestBody::empty());
    *request.method_mut() = method;
    *request.uri_mut() = path.parse().unwrap();
    let pairs = headers.iter().map(|&(name, value)| {
        (
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )
    });
    *request.headers_mut() = pairs.collect::<HeaderMap>();
    request
}

async fn origin() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// An address that nobody listens on.
async fn nobody() -> SocketAddr {
    origin().await.1
}

/// Reads one head, as it came.
async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// Answers one request on a new connection and returns its head.
async fn answer(listener: &TcpListener, response: &str) -> (TcpStream, String) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let head = head(&mut stream).await;
    stream.write_all(response.as_bytes()).await.unwrap();
    (stream, head)
}

async fn text(response: Response<Body>) -> String {
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test]
async fn the_path_is_sent_byte_for_byte_and_the_host_is_kept() {
    let (listener, address) = origin().await;
    let upstream = upstream(settings(&[address]));
    let sent = request(
        Method::GET,
        "/a%2Eb;c//d?e=/../f",
        &[("host", "app.test"), ("te", "gzip")],
    );
    let (response, (_, head)) = tokio::join!(forward(&upstream, sent), answer(&listener, OK));
    assert_eq!(
        head,
        "GET /a%2Eb;c//d?e=/../f HTTP/1.1\r\nhost: app.test\r\n\r\n"
    );
    assert_eq!(text(response.unwrap()).await, "ok");
}

#[tokio::test]
async fn the_host_is_taken_from_the_address_or_the_server() {
    let (listener, address) = origin().await;
    let mut settings = settings(&[address]);
    let keeping = upstream(settings.clone());
    let sent = request(Method::GET, "https://app.test/", &[]);
    let (_, (_, head)) = tokio::join!(forward(&keeping, sent), answer(&listener, OK));
    assert!(head.contains("host: app.test\r\n"), "{head}");

    settings.preserve_host = false;
    let renaming = upstream(settings);
    let sent = request(Method::GET, "/", &[("host", "app.test")]);
    let (_, (_, head)) = tokio::join!(forward(&renaming, sent), answer(&listener, OK));
    assert!(
        head.contains(&format!("host: {address}\r\n")) && !head.contains("app.test"),
        "{head}"
    );
}

#[tokio::test]
async fn headers_of_one_connection_do_not_come_back() {
    let (listener, address) = origin().await;
    let upstream = upstream(settings(&[address]));
    let response = "HTTP/1.1 200 OK\r\nConnection: x-mine\r\nX-Mine: 1\r\nKeep-Alive: timeout=5\r\n\
                    Upgrade: h2c\r\nX-Yours: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    let sent = request(Method::GET, "/", &[]);
    let (response, _) = tokio::join!(forward(&upstream, sent), answer(&listener, response));
    let response = response.unwrap();
    let names: Vec<_> = response.headers().keys().map(HeaderName::as_str).collect();
    assert_eq!(names, ["x-yours"]);
}

#[tokio::test]
async fn a_response_to_head_keeps_its_length() {
    let (listener, address) = origin().await;
    let upstream = upstream(settings(&[address]));
    let response = "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n";
    let sent = request(Method::HEAD, "/", &[]);
    let (response, _) = tokio::join!(forward(&upstream, sent), answer(&listener, response));
    let response = response.unwrap();
    assert_eq!(response.headers()["content-length"], "1234");
    assert_eq!(text(response).await, "");
}

#[tokio::test]
async fn what_is_safe_to_repeat_is_sent_again_when_the_server_hangs_up() {
    let (listener, address) = origin().await;
    let upstream = upstream(settings(&[address]));
    let serve = async {
        let (mut first, _) = listener.accept().await.unwrap();
        head(&mut first).await;
        drop(first);
        answer(&listener, OK).await
    };
    let (response, _) = tokio::join!(forward(&upstream, request(Method::GET, "/", &[])), serve);
    assert_eq!(response.unwrap().status(), StatusCode::OK);
}

#[tokio::test]
async fn what_is_not_safe_to_repeat_is_sent_once() {
    let (listener, address) = origin().await;
    let upstream = upstream(settings(&[address]));
    let serve = async {
        let (mut first, _) = listener.accept().await.unwrap();
        head(&mut first).await;
    };
    let (response, ()) = tokio::join!(forward(&upstream, request(Method::POST, "/", &[])), serve);
    assert!(matches!(response, Err(Denial::UpstreamUnavailable)));
}

#[tokio::test]
async fn nothing_is_repeated_twice() {
    let (listener, address) = origin().await;
    let upstream = upstream(settings(&[address]));
    let serve = async {
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().await.unwrap();
            head(&mut stream).await;
        }
    };
    let (response, ()) = tokio::join!(forward(&upstream, request(Method::GET, "/", &[])), serve);
    assert!(matches!(response, Err(Denial::UpstreamUnavailable)));
}

#[tokio::test]
async fn another_server_is_tried_when_one_cannot_be_reached() {
    let (listener, address) = origin().await;
    let upstream = upstream(settings(&[nobody().await, address]));
    for _ in 0..3 {
        let sent = request(Method::GET, "/", &[]);
        let (response, _) = tokio::join!(forward(&upstream, sent), async {
            let (stream, head) = answer(
                &listener,
                &OK.replace("OK\r\n", "OK\r\nConnection: close\r\n"),
            )
            .await;
            drop(stream);
            head
        });
        assert_eq!(text(response.unwrap()).await, "ok");
    }
    assert_eq!(
        upstream.servers.pick(None).unwrap().0,
        1,
        "the other one is left alone for a while"
    );
}

#[tokio::test]
async fn an_upstream_that_cannot_be_reached_or_is_too_slow_is_told_apart() {
    let unreachable = upstream(settings(&[nobody().await]));
    let response = forward(&unreachable, request(Method::GET, "/", &[])).await;
    assert!(matches!(response, Err(Denial::UpstreamUnavailable)));

    let (_listener, address) = origin().await;
    let slow = upstream(config::Upstream {
        response_timeout: Duration::ZERO,
        ..settings(&[address])
    });
    let response = forward(&slow, request(Method::GET, "/", &[])).await;
    assert!(matches!(response, Err(Denial::UpstreamTimedOut)));
}

#[tokio::test]
async fn a_body_that_stops_breaks_off() {
    let (listener, address) = origin().await;
    let upstream = upstream(config::Upstream {
        idle_timeout: Duration::ZERO,
        ..settings(&[address])
    });
    let partial = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\npart";
    let sent = request(Method::GET, "/", &[]);
    let (response, (_stream, _)) =
        tokio::join!(forward(&upstream, sent), answer(&listener, partial));
    assert!(response.unwrap().into_body().collect().await.is_err());
}

#[tokio::test]
async fn a_switch_that_nobody_asked_for_is_refused() {
    let (listener, address) = origin().await;
    let upstream = upstream(settings(&[address]));
    let switch = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n";
    for asked in [
        &[][..],
        &[
            ("connection", "upgrade"),
            ("upgrade", "h2c"),
            ("http2-settings", ""),
        ],
    ] {
        let sent = request(Method::GET, "/", asked);
        let (response, (_, head)) =
            tokio::join!(forward(&upstream, sent), answer(&listener, switch));
        assert!(matches!(response, Err(Denial::UpstreamUnavailable)));
        assert!(
            !head.contains("h2c") && !head.contains("http2-settings"),
            "{head}"
        );
    }
}

#[tokio::test]
async fn connect_is_not_served() {
    let upstream = upstream(settings(&[nobody().await]));
    let response = forward(&upstream, request(Method::CONNECT, "a.test:443", &[])).await;
    assert!(matches!(response, Err(Denial::BadRequest(_))));
}

#[tokio::test]
async fn failing_health_checks_take_a_server_out_of_turn() {
    let (sound, sound_address) = origin().await;
    let (failing, failing_address) = origin().await;
    let check = config::HealthCheck {
        path: "/health".to_owned(),
        interval: Duration::from_millis(5),
        timeout: Duration::from_secs(5),
    };
    for (listener, response) in [
        (sound, OK),
        (failing, "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"),
    ] {
        tokio::spawn(async move {
            loop {
                let (_, head) = answer(&listener, response).await;
                assert!(head.starts_with("GET /health HTTP/1.1\r\n"), "{head}");
            }
        });
    }
    let checked = [failing_address, sound_address];
    let upstream = upstream(config::Upstream {
        health: Some(check),
        ..settings(&checked)
    });
    while (0..4).any(|_| upstream.servers.pick(None).unwrap().0 == 0) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn unchanged_upstreams_keep_their_connections_and_health() {
    let same = Arc::new(settings(&[nobody().await]));
    let build = |configs: &[Arc<config::Upstream>], workers, previous: Option<&Upstreams>| {
        Upstreams::build(configs, Arc::default(), workers, previous).unwrap()
    };
    let old = build(&[Arc::clone(&same)], 2, None);
    let changed = Arc::new(config::Upstream {
        max_idle: 9,
        ..settings(&[nobody().await])
    });
    let equal = Arc::new((*same).clone());
    let new = build(&[changed, equal], 2, Some(&old));
    assert!(Arc::ptr_eq(&new.all[1], &old.all[0]) && !Arc::ptr_eq(&new.all[0], &old.all[0]));
    let resized = build(&[same], 3, Some(&old));
    assert!(
        !Arc::ptr_eq(&resized.all[0], &old.all[0]),
        "another number of workers needs other pools"
    );
}
