//! That a thousand sessions can be measured in every engine.
#![allow(clippy::unwrap_used)]

use store_sizing::{Engine, EngineKind, Load, fill, measure};

async fn measures(kind: EngineKind) {
    let Some(mut engine) = Engine::start(kind).await else {
        return;
    };
    engine.hurry(true).await;
    fill(&engine.store(), 0, 1000).await;
    engine.hurry(false).await;
    let load = Load {
        callers: 4,
        writes: 20,
        reads: 100,
    };
    let figures = measure(&engine.store(), 1000, load).await;
    assert!(figures.validate.per_second > 0.0);
    assert!(figures.validate.median <= figures.validate.p99);
    assert!(engine.memory() > 1_000_000);
    // A session's text alone is more than half a kilobyte.
    assert!(engine.disk() > 500_000);
}

#[tokio::test]
async fn sqlite_is_measured() {
    measures(EngineKind::Sqlite).await;
}

#[tokio::test]
async fn valkey_is_measured() {
    measures(EngineKind::Valkey).await;
}

#[tokio::test]
async fn postgres_is_measured() {
    measures(EngineKind::Postgres).await;
}
