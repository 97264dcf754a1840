//! The feed in Valkey: a stream whose entries have the feed's numbers.

use std::time::Duration;

use super::{ValkeyStore, scripts};
use crate::store::{FeedPart, MAX_FEED_PART, StoreError};

/// The stream.
const FEED: &str = "{doorward}:feed";

impl ValkeyStore {
    /// Waits until something is added to the feed after `after`, or `wait` is over.
    pub(super) async fn wait_for_feed(&self, after: u64, wait: Duration) -> Result<(), StoreError> {
        let mut waiting = self.waiting.lock().await;
        // Taken out: a wait that is given up leaves nothing half-read behind.
        let mut connection = match waiting.take() {
            Some(connection) => connection,
            None => self.link.connect(None).await?,
        };
        let mut command = redis::cmd("XREAD");
        command
            .arg("COUNT")
            .arg(1)
            .arg("BLOCK")
            .arg(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1))
            .arg("STREAMS")
            .arg(FEED)
            .arg(format!("{after}-0"));
        let limit = wait + self.link.timeout().min(Duration::from_secs(1));
        let read = command.query_async::<redis::Value>(&mut connection);
        tokio::time::timeout(limit, read)
            .await
            .map_err(|_| StoreError::TimedOut)??;
        *waiting = Some(connection);
        Ok(())
    }

    pub(super) async fn read_feed(&self, after: u64) -> Result<FeedPart, StoreError> {
        let call = self.call(&scripts::FEED).arg(after).arg(MAX_FEED_PART);
        let (end, first, events): (u64, u64, Vec<String>) = self.run(call).await?;
        if after > end || (events.is_empty() && after != end) {
            return Ok(FeedPart::Gap { end });
        }
        if !events.is_empty() && first != after + 1 {
            return Ok(FeedPart::Gap { end });
        }
        let events = (first..).zip(events);
        let entries = events.map(|(sequence, event)| Ok((sequence, serde_json::from_str(&event)?)));
        Ok(FeedPart::Entries(
            entries.collect::<Result<_, serde_json::Error>>()?,
        ))
    }
}
