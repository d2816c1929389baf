//! A line for the report of `scripts/prove` on seeds that were played.

use serde_json::json;

use super::campaign::Campaign;

/// What is known of a campaign beside what it reached.
#[derive(Clone, Copy, Debug)]
pub struct Played<'a> {
    /// The first seed.
    pub from: u64,
    /// The command that plays the same again.
    pub command: &'a str,
    /// How long it took.
    pub seconds: u64,
}

/// One line of JSON.
pub fn line(campaign: &Campaign, played: Played<'_>) -> String {
    let Played { from, command, seconds } = played;
    let (rounds, violations) = (campaign.seeds, campaign.failed.len());
    let line = json!({
        "suite": "simulation",
        "command": command,
        "seed": from,
        "rounds": rounds,
        "faults": campaign.coverage.troubles,
        "outcomes": campaign.coverage.outcomes,
        "violations": violations,
        "bound": (violations == 0 && rounds > 0).then(|| format!("fewer than 3 in {rounds} at 95 %")),
        "seconds": seconds,
    });
    format!("{line}\n")
}
