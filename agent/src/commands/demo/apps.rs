//! Two sample applications that show what they are told of their user.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;

/// Which application.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A web page.
    Reports,
    /// Plain text, for programs.
    Vault,
}

/// Serves an application on a free port of this machine for as long as the runtime lives.
pub(super) async fn serve(kind: Kind) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        // The only clients are the gateway's own; an accept that fails is one request that fails.
        while let Ok((stream, _)) = listener.accept().await {
            let service = service_fn(move |request: Request<Incoming>| {
                std::future::ready(Ok::<_, Infallible>(answer(kind, &request)))
            });
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .serve_connection(TokioIo::new(stream), service);
            tokio::spawn(connection);
        }
    });
    Ok(address)
}

fn answer(kind: Kind, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let told = request
        .headers()
        .iter()
        .filter(|(name, _)| name.as_str().starts_with("sm_") || name.as_str().starts_with("x-"));
    let told = told.map(|(name, value)| (name.as_str(), String::from_utf8_lossy(value.as_bytes())));
    let (content_type, body) = match kind {
        Kind::Vault => {
            let lines: String = told
                .map(|(name, value)| format!("{name}: {value}\n"))
                .collect();
            (
                "text/plain; charset=utf-8",
                format!("You reached the vault at {}.\n\n{lines}", request.uri()),
            )
        }
        Kind::Reports => {
            let rows: String = told
                .map(|(name, value)| {
                    format!(
                        "<tr><th>{}</th><td>{}</td></tr>",
                        escape(name),
                        escape(&value)
                    )
                })
                .collect();
            let user = request
                .headers()
                .get("sm_user")
                .map(|user| String::from_utf8_lossy(user.as_bytes()));
            (
                "text/html; charset=utf-8",
                page(&escape(&user.unwrap_or_default()), &rows),
            )
        }
    };
    let mut response = Response::new(Full::from(body));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static(content_type),
    );
    response
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn page(user: &str, rows: &str) -> String {
    format!(
        r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Reports</title>
<style>
:root {{ color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }}
body {{ max-width: 46rem; margin: 3rem auto; padding: 0 1.25rem }}
header {{ display: flex; justify-content: space-between; align-items: baseline; gap: 1rem }}
h1 {{ font-size: 1.5rem; margin: 0 }}
table {{ border-collapse: collapse; width: 100%; font-size: .9rem }}
th, td {{ text-align: left; padding: .4rem .75rem .4rem 0; border-bottom: 1px solid color-mix(in srgb, currentColor 18%, transparent); vertical-align: top }}
th {{ font-weight: 500; white-space: nowrap; opacity: .75 }}
td {{ overflow-wrap: anywhere; font-family: ui-monospace, monospace }}
</style>
<header><h1>Hello, {user}</h1><a href="/doorward/logout">Log out</a></header>
<p>This is a sample application. It has no login of its own: it believes these headers, which the gateway
wrote and which nobody else can write.</p>
<table>{rows}</table>
<p><a href="/vault/">The vault</a> asks for a password of its own, and lets administrators in.</p>
"#
    )
}
