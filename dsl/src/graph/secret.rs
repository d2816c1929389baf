//! Outputs of steps that learn a secret.

use serde::{Deserialize, Serialize};

/// An output that is taken from the result of a step where its attempt ran, since the rest of that result is withheld.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// The output.
    pub name: String,
    /// The way to it in the result: `json`, `access_token`.
    pub path: Vec<String>,
    /// Whether it is a secret: then whoever runs the attempt keeps the value, and gives a reference.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub secret: bool,
}
