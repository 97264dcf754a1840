use axum::Router;
use axum::body::Body;
use axum::middleware::from_fn_with_state;
use axum::routing::post;
use futures_util::FutureExt as _;
use tokio::sync::Semaphore;
use tower::ServiceExt as _;

use super::*;

/// A call that has begun, whose caller has gone, and that ends when the semaphore has a permit.
async fn left_alone(under_way: &UnderWay) -> Arc<Semaphore> {
    let may_end = Arc::new(Semaphore::new(0));
    let begun = Arc::new(Semaphore::new(0));
    let (gate, told) = (Arc::clone(&may_end), Arc::clone(&begun));
    let call = async move || {
        told.add_permits(1);
        let _ = gate.acquire().await;
    };
    let router = Router::new()
        .route("/", post(call))
        .layer(from_fn_with_state(under_way.clone(), to_the_end));
    let request = Request::post("/").body(Body::empty()).unwrap();
    let mut answer = Box::pin(router.oneshot(request));
    tokio::select! {
        _ = &mut answer => panic!("answered"),
        permit = begun.acquire() => drop(permit),
    }
    may_end
}

#[tokio::test]
async fn a_stop_waits_for_calls_whose_callers_have_gone() {
    let under_way = UnderWay::default();
    assert_eq!(under_way.finish().now_or_never(), Some(()));
    let may_end = left_alone(&under_way).await;
    let mut stop = Box::pin(under_way.finish());
    assert_eq!(stop.as_mut().now_or_never(), None);
    may_end.add_permits(1);
    stop.await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_ever() {
    let under_way = UnderWay::default();
    let _may_end = left_alone(&under_way).await;
    let begun = tokio::time::Instant::now();
    under_way.finish().await;
    assert_eq!(begun.elapsed(), STOP_TIMEOUT);
}
