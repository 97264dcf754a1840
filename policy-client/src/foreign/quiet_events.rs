//! The events of a system that tells nothing without being asked.
//!
//! What was validated then counts for the realm's validation period, as it does with any policy server whose
//! events arrive: nobody announces the end of a session earlier.

use std::time::Duration;

use policy_protocol::event::HEARTBEAT_SECONDS;
use policy_protocol::{Event, EventKind, EventPosition};

use crate::EventStream;

/// A Hello, then a heartbeat each second.
pub(super) fn stream(store: &str) -> EventStream {
    let instance = store.to_owned();
    Box::pin(futures_util::stream::unfold(
        EventKind::Hello { gap: false },
        move |kind| {
            let position = EventPosition {
                instance: instance.clone(),
                sequence: 0,
            };
            async move {
                if kind == EventKind::Heartbeat {
                    tokio::time::sleep(Duration::from_secs(HEARTBEAT_SECONDS)).await;
                }
                Some((Ok(Event { position, kind }), EventKind::Heartbeat))
            }
        },
    ))
}
