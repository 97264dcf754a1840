use futures_util::StreamExt;

use super::*;

fn kinds(events: &[Arc<Told>]) -> Vec<&EventKind> {
    events.iter().map(|told| &told.event.kind).collect()
}

fn following() -> Events {
    let events = Events::new();
    events.follow("store", 0);
    events
}

fn position(sequence: u64) -> EventPosition {
    EventPosition {
        instance: String::from("store"),
        sequence,
    }
}

fn publish(events: &Events) {
    let sequence = events.kept().sequence + 1;
    events.deliver([(sequence, EventKind::CacheFlush)]);
}

#[tokio::test(start_paused = true)]
async fn a_quiet_stream_beats_without_moving_on() {
    let events = following();
    publish(&events);
    let heard: Vec<_> = events
        .listen(None, 0)
        .await
        .unwrap()
        .take(3)
        .collect()
        .await;
    let hello = EventKind::Hello { gap: true };
    assert_eq!(
        kinds(&heard),
        [&hello, &EventKind::Heartbeat, &EventKind::Heartbeat]
    );
    assert!(heard.iter().all(|told| told.event.position == position(1)));
}

#[tokio::test(start_paused = true)]
async fn what_is_no_longer_kept_is_a_gap() {
    let events = following();
    for _ in 0..=KEPT {
        publish(&events);
    }
    for (sequence, gap) in [
        (0, true),
        (1, false),
        (KEPT as u64 + 1, false),
        (KEPT as u64 + 2, true),
    ] {
        let mut stream = events.listen(Some(&position(sequence)), 0).await.unwrap();
        // Whatever is told before is what was missed.
        let hello = loop {
            let event = stream.next().await.unwrap().event.clone();
            if event.kind != EventKind::CacheFlush {
                break event;
            }
        };
        assert_eq!(hello.kind, EventKind::Hello { gap }, "{sequence}");
    }
    let replayed = events
        .listen(Some(&position(1)), 0)
        .await
        .unwrap()
        .take(KEPT);
    let numbers = replayed.map(|told| told.event.position.sequence);
    assert_eq!(
        numbers.collect::<Vec<_>>().await,
        (2..=KEPT as u64 + 1).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn a_listener_that_lags_too_far_behind_is_cut_off() {
    let events = following();
    let mut slow = events.listen(None, 0).await.unwrap();
    slow.next().await.unwrap();
    for _ in 0..=MAX_LAG {
        publish(&events);
    }
    assert!(slow.next().await.is_none());
}

#[tokio::test]
async fn a_stream_ends_with_its_server() {
    let events = following();
    let mut stream = events.listen(None, 0).await.unwrap();
    drop(events);
    assert!(stream.next().await.is_some());
    assert!(stream.next().await.is_none());
}

#[tokio::test]
async fn nobody_is_told_anything_by_one_who_does_not_follow_the_feed() {
    let events = following();
    let mut stream = events.listen(None, 0).await.unwrap();
    assert!(stream.next().await.is_some());
    events.lost();
    assert!(stream.next().await.is_none());
    assert!(events.listen(None, 0).await.is_err());
    events.follow("store", 0);
    let mut again = events.listen(Some(&position(0)), 0).await.unwrap();
    let hello = again.next().await.unwrap();
    assert_eq!(hello.event.kind, EventKind::Hello { gap: false });
}

#[tokio::test]
async fn another_store_is_a_gap_for_everybody() {
    let events = following();
    publish(&events);
    let mut stream = events.listen(None, 0).await.unwrap();
    assert!(stream.next().await.is_some());
    events.follow("another store", 1);
    assert!(stream.next().await.is_none());
    let mut again = events.listen(Some(&position(1)), 0).await.unwrap();
    let hello = again.next().await.unwrap();
    assert_eq!(hello.event.kind, EventKind::Hello { gap: true });
}

#[tokio::test]
async fn what_is_in_the_feed_already_is_waited_for() {
    let events = following();
    let position = position(1);
    let listening = events.listen(Some(&position), 1);
    let (stream, ()) = tokio::join!(listening, async { publish(&events) });
    let hello = stream.unwrap().next().await.unwrap();
    assert_eq!(hello.event.kind, EventKind::Hello { gap: false });
}

#[tokio::test(start_paused = true)]
async fn one_who_is_too_far_behind_says_nothing() {
    let refused = following().listen(None, 1).await.err();
    assert_eq!(refused, Some(PolicyError::TimedOut));
}

#[tokio::test(start_paused = true)]
async fn one_whose_feed_is_silent_does_not_say_that_all_is_well() {
    let events = following();
    let mut stream = events.listen(None, 0).await.unwrap();
    stream.next().await.unwrap();
    for _ in 0..5 {
        assert!(stream.next().await.is_some());
        events.follow("store", 0);
    }
    let mut beats = 0;
    while stream.next().await.is_some() {
        beats += 1;
    }
    assert_eq!(beats, 2);
}

#[tokio::test]
async fn all_streams_share_one_event_and_one_text_of_it() {
    let events = following();
    publish(&events);
    let before = position(0);
    let mut away = events.listen(Some(&before), 0).await.unwrap();
    let mut there = events.listen(Some(&before), 0).await.unwrap();
    let (one, other) = (away.next().await.unwrap(), there.next().await.unwrap());
    assert!(Arc::ptr_eq(&one, &other), "what was missed");
    away.next().await.unwrap();
    there.next().await.unwrap();
    publish(&events);
    let (one, other) = (away.next().await.unwrap(), there.next().await.unwrap());
    assert!(Arc::ptr_eq(&one, &other), "what happens");
    let read: Event = serde_json::from_slice(&one.line).unwrap();
    assert_eq!(read, one.event);
    assert_eq!(one.line.iter().filter(|byte| **byte == b'\n').count(), 1);
}
