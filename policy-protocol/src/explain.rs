//! Why a policy server decides as it does: asked by administrators, answered rule by rule.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::message::AuthorizeAnswer;
use crate::{Identity, ResourceContext, Timestamp};

/// What to explain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ExplainRequest {
    /// Who: a universal id, or else a login name.
    pub user: String,
    /// The name of the user directory to look in; all unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// Who the user is, instead of looking them up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Box<Identity>>,
    /// What the user wants to do.
    pub resource: ResourceContext,
    /// Where the user is.
    pub from: IpAddr,
    /// When; now unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

/// The answer to [`ExplainRequest`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum ExplainAnswer {
    /// There is such a user, and this is what policies say.
    Explained {
        /// Who the user is.
        identity: Box<Identity>,
        /// The realm of the resource, if it is in one.
        realm: Option<String>,
        /// Every rule of the realms that the resource is in, with every policy that it is bound to.
        steps: Vec<Step>,
        /// What Authorize() would answer to a live session of this user.
        decision: AuthorizeAnswer,
    },
    /// There is no such user.
    UnknownUser,
}

/// One rule, and one policy that it is bound to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Step {
    /// The domain.
    pub domain: String,
    /// The rule's realm.
    pub realm: String,
    /// The rule.
    pub rule: String,
    /// Whether the rule denies.
    pub deny: bool,
    /// The policy; none if the rule is bound to none.
    pub policy: Option<String>,
    /// Whether it counts, or why not.
    pub finding: Finding,
}

/// Whether a rule of a policy counts, or the first reason why not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "finding", rename_all = "snake_case")]
pub enum Finding {
    /// It counts.
    Applies,
    /// The rule is about other resources.
    Resource,
    /// No policy has the rule.
    Unbound,
    /// The rule is about other actions.
    Action,
    /// It would allow, but is written in another case than the resource.
    Case,
    /// It would allow, but something with a longer prefix covers the resource.
    LongerPrefix,
    /// The domain is for users of other directories.
    Directory,
    /// The policy names other users.
    User,
    /// The user is in none of the groups.
    Group,
    /// The user has none of the values of this attribute.
    Attribute {
        /// The attribute.
        name: String,
    },
    /// The policy leaves this user out, by name or by group.
    Excluded,
    /// The user is elsewhere.
    Network,
    /// Not at this time.
    Time,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Applies => "applies",
            Self::Resource => "is about other resources",
            Self::Unbound => "is in no policy",
            Self::Action => "is about other methods",
            Self::Case => "is written in another case than the resource",
            Self::LongerPrefix => "gives way to a longer prefix",
            Self::Directory => "is for users of other directories",
            Self::User => "is for other users",
            Self::Group => "is for other groups",
            Self::Attribute { name } => return write!(f, "wants another value of {name}"),
            Self::Excluded => "leaves this user out",
            Self::Network => "is for other networks",
            Self::Time => "is for other times",
        })
    }
}
