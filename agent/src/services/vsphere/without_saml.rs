//! A program that was built without SAML: no assertion counts.

use policy_protocol::message::Credentials;

use super::rpc::Security;
use crate::config::services::Saml;
use crate::services::core::Core;

pub(super) async fn from_header(
    _: &Core<'_>,
    _: Option<&Saml>,
    _: &[u8],
    _: &[u8],
) -> Option<Credentials> {
    None
}

pub(super) async fn from_message(
    _: &Core<'_>,
    _: Option<&Saml>,
    _: &Security,
    _: &[u8],
) -> Option<Credentials> {
    None
}
