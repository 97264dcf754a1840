//! What holds for a policy server, asked in the same process and over HTTPS alike.

#![allow(clippy::unwrap_used)] // also in helpers

mod harness;

mod administration;
mod audit;
mod credentials;
mod events;
mod keys;
mod network;
mod password_change;
mod policies;
mod regulation;
mod second_factor;
mod sessions;
mod tampering;

/// Runs every test named against both kinds of policy server.
macro_rules! for_both {
    ($($name:ident),* $(,)?) => {
        mod embedded {
            $(#[tokio::test]
            async fn $name() {
                super::$name(crate::harness::World::embedded().await).await;
            })*
        }
        mod remote {
            $(#[tokio::test]
            async fn $name() {
                super::$name(crate::harness::World::remote().await).await;
            })*
        }
    };
}
pub(crate) use for_both;
