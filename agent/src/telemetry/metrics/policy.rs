//! Calls to the policy server, by call and answer.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;

/// A call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyCall {
    /// `IsProtected()`
    IsProtected,
    /// `Login()`
    Login,
    /// `Validate()`
    Validate,
    /// `Authorize()`
    Authorize,
    /// `Logout()`
    Logout,
    /// What session services ask
    SessionService,
}

/// What came of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyAnswer {
    /// YES
    Yes,
    /// NO
    No,
    /// CHALLENGE
    Challenge,
    /// No answer: no connection, timed out, or failed.
    Error,
}

const CALLS: [(PolicyCall, &str); 6] = [
    (PolicyCall::IsProtected, "is_protected"),
    (PolicyCall::Login, "login"),
    (PolicyCall::Validate, "validate"),
    (PolicyCall::Authorize, "authorize"),
    (PolicyCall::Logout, "logout"),
    (PolicyCall::SessionService, "session_service"),
];

const ANSWERS: [(PolicyAnswer, &str); 4] = [
    (PolicyAnswer::Yes, "yes"),
    (PolicyAnswer::No, "no"),
    (PolicyAnswer::Challenge, "challenge"),
    (PolicyAnswer::Error, "error"),
];

/// Calls to the policy server, by call and answer.
#[derive(Debug, Default)]
pub struct PolicyCalls([[AtomicU64; ANSWERS.len()]; CALLS.len()]);

impl PolicyCalls {
    /// Counts a call.
    pub fn count(&self, call: PolicyCall, answer: PolicyAnswer) {
        self.0[call as usize][answer as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How often `call` had this answer.
    pub fn get(&self, call: PolicyCall, answer: PolicyAnswer) -> u64 {
        self.0[call as usize][answer as usize].load(Ordering::Relaxed)
    }
}

impl Collector for PolicyCalls {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let help = "Calls to the policy server, by answer";
        let mut family =
            encoder.encode_descriptor("policy_calls", help, None, MetricType::Counter)?;
        for (call, call_name) in CALLS {
            for (answer, answer_name) in ANSWERS {
                let labels = [("call", call_name), ("answer", answer_name)];
                let count = ConstCounter::new(self.get(call, answer));
                count.encode(family.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}
