use futures_util::StreamExt;

use super::*;

fn kinds(events: &[Event]) -> Vec<&EventKind> {
    events.iter().map(|event| &event.kind).collect()
}

#[tokio::test(start_paused = true)]
async fn a_quiet_stream_beats_without_moving_on() {
    let events = Events::new().unwrap();
    events.publish(EventKind::CacheFlush);
    let heard: Vec<_> = events
        .listen(None)
        .take(3)
        .map(Result::unwrap)
        .collect()
        .await;
    let hello = EventKind::Hello { gap: true };
    assert_eq!(
        kinds(&heard),
        [&hello, &EventKind::Heartbeat, &EventKind::Heartbeat]
    );
    assert!(
        heard
            .iter()
            .all(|event| event.position == events.position(1))
    );
}

#[tokio::test]
async fn what_is_no_longer_kept_is_a_gap() {
    let events = Events::new().unwrap();
    for _ in 0..=KEPT {
        events.publish(EventKind::CacheFlush);
    }
    for (sequence, gap) in [
        (0, true),
        (1, false),
        (KEPT as u64 + 1, false),
        (KEPT as u64 + 2, true),
    ] {
        let mut stream = events.listen(Some(&events.position(sequence)));
        // Whatever is told before is what was missed.
        let hello = loop {
            let event = stream.next().await.unwrap().unwrap();
            if event.kind != EventKind::CacheFlush {
                break event;
            }
        };
        assert_eq!(hello.kind, EventKind::Hello { gap }, "{sequence}");
    }
    let replayed = events.listen(Some(&events.position(1))).take(KEPT);
    let numbers = replayed.map(|event| event.unwrap().position.sequence);
    assert_eq!(
        numbers.collect::<Vec<_>>().await,
        (2..=KEPT as u64 + 1).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn a_listener_that_lags_too_far_behind_is_cut_off() {
    let events = Events::new().unwrap();
    let mut slow = events.listen(None);
    slow.next().await.unwrap().unwrap();
    for _ in 0..=MAX_LAG {
        events.publish(EventKind::CacheFlush);
    }
    assert!(slow.next().await.is_none());
}

#[tokio::test]
async fn a_stream_ends_with_its_server() {
    let events = Events::new().unwrap();
    let mut stream = events.listen(None);
    drop(events);
    assert!(stream.next().await.unwrap().is_ok());
    assert!(stream.next().await.is_none());
}
