//! Listening: the stream of events of one agent process.

use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::future::Either;
use policy_client::PolicyError;
use policy_protocol::EventPosition;

use crate::events::ToldStream;
use crate::server::{AgentHandle, failure};

impl AgentHandle {
    /// What happened since `position`, and what will happen, until the agent may not ask any more, or a
    /// newer stream of the same process takes the place of this one.
    ///
    /// # Errors
    /// If too many listen, or the policy server does not know what happens.
    pub(crate) async fn listen(
        &self,
        position: Option<EventPosition>,
    ) -> Result<ToldStream, PolicyError> {
        let end = self.server.store.feed_end().await.map_err(failure)?;
        // Before it can hear that it may believe its cache.
        let now = self.server.now();
        let joined = self.server.presence.join(&self.process, self.address, now);
        let (stay, replaced) = joined.map_err(failure)?;
        let told = self.server.events.listen(position.as_ref(), end).await?;
        // Nothing here keeps the policy server alive: when it goes, its streams end.
        let refused = match self.proof.clone() {
            Some(proof) => {
                let agents = Arc::clone(&self.server.agents);
                let clock = Arc::clone(&self.server.clock);
                let agent = Arc::clone(&self.agent);
                Either::Left(async move { agents.refused(&agent, &proof, &*clock).await })
            }
            None => Either::Right(std::future::pending()),
        };
        let over = async move {
            tokio::select! {
                () = refused => {}
                // An error, and that is what is waited for: the sender is gone.
                _ = replaced => {}
            }
        };
        Ok(Box::pin(told.take_until(Box::pin(over)).inspect(
            move |_| {
                let _stay = &stay;
            },
        )))
    }
}
