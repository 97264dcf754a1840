//! How long the pieces of the hot path take, one by one and together.
//!
//! `cargo bench -p benchmarks --features micro`, on a machine that does nothing else. The figures are wall
//! time: good for trends, not for comparing machines.

use std::hint::black_box;

use agent::access::protection::RealmTable;
use agent::http::cookies;
use agent::http::target::RequestTarget;
use agent::session::cookie::SessionClaims;
use benchmarks::{Stage, agent_keys, realms, session};
use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use http::{Method, Uri};
use policy_protocol::AgentKeyRing;

const PATH: &str = "/reports/2026/q3?page=3";
const ENCODED_PATH: &str = "/reports/caf%C3%A9/%7Ealice/a%20b?page=3";

fn cookie(c: &mut Criterion) {
    let ring = AgentKeyRing::new(&agent_keys());
    let session = session();
    let claims = SessionClaims::new(&session, "agent", None, session.started);
    let sealed = claims.seal(&ring, "SM").expect("it fits");
    c.bench_function("SMSESSION/seal", |b| b.iter(|| claims.seal(&ring, "SM")));
    c.bench_function("SMSESSION/open", |b| {
        b.iter(|| SessionClaims::open(black_box(sealed.as_bytes()), &ring, "SM"));
    });
}

fn cache(c: &mut Criterion) {
    let stage = Stage::set();
    let text = stage.cookie.as_bytes();
    let value = text.split_at("SMSESSION=".len()).1;
    assert!(stage.sessions.cache.get(value).is_some());
    c.bench_function("session cache/hit", |b| {
        b.iter(|| stage.sessions.cache.get(black_box(value)));
    });
    c.bench_function("session cache/miss", |b| {
        b.iter(|| stage.sessions.cache.get(black_box(&value[1..])));
    });
}

fn headers(c: &mut Criterion) {
    let stage = Stage::set();
    let headers = stage.request(PATH).headers;
    let is_ours = |name: &[u8]| stage.site.owns_cookie(name);
    c.bench_function("cookies/scan", |b| {
        b.iter(|| {
            cookies::all(black_box(&headers))
                .filter(|(name, _)| is_ours(name))
                .count()
        });
    });
    c.bench_function("cookies/remove", |b| {
        let copy = || headers.clone();
        b.iter_batched_ref(
            copy,
            |headers| cookies::remove(headers, is_ours),
            BatchSize::SmallInput,
        );
    });
    c.bench_function("managed headers/strip, none there", |b| {
        b.iter_batched_ref(
            || headers.clone(),
            |headers| stage.site.managed.strip(headers),
            BatchSize::SmallInput,
        );
    });
}

fn target(c: &mut Criterion) {
    let stage = Stage::set();
    for (name, path) in [("plain", PATH), ("percent-encoded", ENCODED_PATH)] {
        let parts = stage.request(path);
        c.bench_function(&format!("target/{name}"), |b| {
            b.iter(|| RequestTarget::parse(&stage.conn, black_box(&parts)));
        });
    }
}

fn realm(c: &mut Criterion) {
    let mut group = c.benchmark_group("realm lookup");
    let uri = Uri::from_static("/area/7/reports/2026/q3");
    let target = RequestTarget::new("host-7.example.com".into(), None, &uri, &Method::GET)
        .expect("a good target");
    for count in [10, 1_000, 10_000] {
        let table = RealmTable::new(&realms(count));
        group.bench_function(BenchmarkId::from_parameter(count), |b| {
            b.iter(|| table.find(black_box(&target)));
        });
    }
}

fn whole(c: &mut Criterion) {
    let stage = Stage::set();
    for (name, path) in [
        ("open realm", "/open"),
        ("protected realm, cache hit", PATH),
    ] {
        c.bench_function(&format!("request/{name}"), |b| {
            b.iter_batched_ref(
                || stage.request(path),
                |parts| stage.hit(parts),
                BatchSize::SmallInput,
            );
        });
    }
}

criterion_group!(micro, cookie, cache, headers, target, realm, whole);
criterion_main!(micro);
