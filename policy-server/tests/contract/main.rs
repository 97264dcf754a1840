//! What holds for a policy server, asked in the same process and over HTTPS alike, and whatever the store.

#![allow(clippy::unwrap_used)] // also in helpers

mod harness;

mod administration;
mod agents;
mod audit;
mod credentials;
mod events;
mod examples;
#[cfg(any(feature = "postgres", feature = "valkey"))]
mod http_calls;
mod inspection;
mod keys;
mod network;
mod password_change;
mod policies;
mod regulation;
mod second_factor;
mod session_service;
mod sessions;
#[cfg(any(feature = "postgres", feature = "valkey"))]
mod store_away;
#[cfg(any(feature = "postgres", feature = "valkey"))]
mod store_full;
mod tampering;

/// Runs every test named against both kinds of policy server, and against one beside each kind of store.
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
        #[cfg(feature = "postgres")]
        mod postgres {
            $(#[tokio::test]
            async fn $name() {
                if let Some(world) = crate::harness::World::on_postgres().await {
                    super::$name(world).await;
                }
            })*
        }
        #[cfg(feature = "valkey")]
        mod valkey {
            $(#[tokio::test]
            async fn $name() {
                if let Some(world) = crate::harness::World::on_valkey().await {
                    super::$name(world).await;
                }
            })*
        }
    };
}
pub(crate) use for_both;

/// Runs every test named beside each kind of store that has a server, which is the test's own.
#[cfg(any(feature = "postgres", feature = "valkey"))]
macro_rules! for_servers {
    ($($name:ident),* $(,)?) => {
        #[cfg(feature = "postgres")]
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                if let Some(world) = crate::harness::World::on_own_postgres().await {
                    super::$name(world).await;
                }
            })*
        }
        #[cfg(feature = "valkey")]
        mod valkey {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                if let Some(world) = crate::harness::World::on_valkey().await {
                    super::$name(world).await;
                }
            })*
        }
    };
}
#[cfg(any(feature = "postgres", feature = "valkey"))]
pub(crate) use for_servers;
