//! `headroom token` as JSON.

use serde::{Deserialize, Serialize};

/// All tokens, without what they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Tokens {
    /// Version of this form.
    pub version: u32,
    /// Each of them, by name.
    pub tokens: Vec<Token>,
}

/// A token.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Token {
    /// Its name.
    pub name: String,
    /// What it may do.
    pub rights: Vec<String>,
    /// When it was made.
    pub created_at: Option<String>,
    /// By whom.
    pub created_by: String,
}

/// A token that is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct TokenWanted {
    /// Its name: letters, digits and any of `- _ . @`.
    pub name: String,
    /// `read`, `settings`, `services`, `protect`, `release`; all of them when none is named.
    #[serde(default)]
    pub rights: Vec<String>,
}

/// A token that was made, shown this once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct NewToken {
    /// Its name.
    pub name: String,
    /// What it may do.
    pub rights: Vec<String>,
    /// What to send.
    pub token: String,
}
