//! HTTP/2 with prior knowledge: echo, streams, and calls in the manner of gRPC.

use std::convert::Infallible;
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderMap, HeaderValue, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};

use super::{Notes, SeenRequest, Stream, Task, hex};

type Reply = Response<UnsyncBoxBody<Bytes, hyper::Error>>;

/// Serves one connection to its end.
pub(super) async fn serve(stream: Box<dyn Stream>, notes: Arc<Notes>, number: usize) {
    let service = service_fn(move |request| {
        let notes = Arc::clone(&notes);
        async move { Ok::<_, Infallible>(answer(request, &notes, number).await) }
    });
    // A client that goes away is no failure of the test.
    let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer(request: Request<Incoming>, notes: &Notes, number: usize) -> Reply {
    let mut seen = describe(&request, number);
    let written = notes.begin(seen.clone());
    let task = Task::of(&seen.target);
    if request
        .headers()
        .get("content-type")
        .is_some_and(|value| value == "application/grpc")
    {
        return reply(200, echo_with_status(request.into_body()));
    }
    if let Task::Stream(length) = task {
        let block = Bytes::from_static(&[b'x'; 16 * 1024]);
        let sizes = (0..length)
            .step_by(block.len())
            .map(move |start| (length - start).min(block.len() as u64));
        let frames = stream::iter(sizes).map(|size| {
            let size = usize::try_from(size).expect("a block");
            Ok(Frame::data(
                Bytes::from_static(&[b'x'; 16 * 1024]).slice(..size),
            ))
        });
        return reply(200, StreamBody::new(frames).boxed_unsync());
    }
    read_body(request.into_body(), &mut seen).await;
    notes.complete(written, &seen);
    match task {
        Task::Sink => reply(200, text(seen.body_length.to_string())),
        Task::Status(status) => reply(status, text(String::new())),
        Task::SlowHead => {
            notes.wait_for_release().await;
            reply(200, text(String::from("at last")))
        }
        Task::Trailers => {
            let trailers = HeaderMap::from_iter([(
                "x-checksum".parse().unwrap(),
                HeaderValue::from_static("abc"),
            )]);
            let frames = [
                Frame::data(Bytes::from_static(b"body")),
                Frame::trailers(trailers),
            ];
            reply(
                200,
                StreamBody::new(stream::iter(frames.map(Ok))).boxed_unsync(),
            )
        }
        _ => reply(200, text(serde_json::to_string(&seen).expect("plain data"))),
    }
}

fn describe(request: &Request<Incoming>, connection: usize) -> SeenRequest {
    let target = request
        .uri()
        .path_and_query()
        .map_or("", |target| target.as_str());
    let authority = request
        .uri()
        .authority()
        .map(|authority| (String::from(":authority"), authority.to_string()));
    SeenRequest {
        connection,
        version: format!("{:?}", request.version()),
        method: request.method().to_string(),
        target: String::from(target),
        headers: authority
            .into_iter()
            .chain(fields(request.headers()))
            .collect(),
        ..SeenRequest::default()
    }
}

fn fields(map: &HeaderMap) -> Vec<(String, String)> {
    map.iter()
        .map(|(name, value)| {
            (
                name.to_string(),
                String::from_utf8_lossy(value.as_bytes()).into_owned(),
            )
        })
        .collect()
}

async fn read_body(mut body: Incoming, seen: &mut SeenRequest) {
    let mut hash = Context::new(&SHA256);
    while let Some(Ok(frame)) = body.frame().await {
        match frame.into_data() {
            Ok(data) => {
                hash.update(&data);
                seen.body_length += data.len() as u64;
                if seen.body.len() < 64 * 1024 {
                    seen.body.push_str(&String::from_utf8_lossy(&data));
                }
            }
            Err(frame) => seen.trailers = frame.trailers_ref().map(fields).unwrap_or_default(),
        }
    }
    seen.body_sha256 = hex(hash.finish().as_ref());
}

/// Every message back as it comes, then `grpc-status: 0`.
fn echo_with_status(body: Incoming) -> UnsyncBoxBody<Bytes, hyper::Error> {
    let echoed = body.into_data_stream().map(|data| data.map(Frame::data));
    let status = HeaderMap::from_iter([(
        "grpc-status".parse().unwrap(),
        HeaderValue::from_static("0"),
    )]);
    let end = stream::iter([Ok(Frame::trailers(status))]);
    StreamBody::new(echoed.chain(end)).boxed_unsync()
}

fn text(text: String) -> UnsyncBoxBody<Bytes, hyper::Error> {
    Full::new(Bytes::from(text))
        .map_err(|never| match never {})
        .boxed_unsync()
}

fn reply(status: u16, body: UnsyncBoxBody<Bytes, hyper::Error>) -> Reply {
    Response::builder().status(status).body(body).unwrap()
}
