//! What differs from run to run, and what the documents print in its place.
//!
//! | what | in the documents |
//! |---|---|
//! | the first run's id, the second's, ... | `6bq3v8zk7dm2`, ... from [`IDS`]; typed into a command it means the real one |
//! | a point in time | `2026-03-01T09:00:00Z` |
//! | a length of time such as `1.3s` | `0.1s`, and the column of a table with such is as wide as that |
//! | the folder of the transcript | `/home/ana` |
//! | who asks | `user:ana` |
//! | a process id | `process 4711` |
//! | the hash of a definition | `definition 5f0c3a9be17d` |

use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;

/// Ids of runs in the order in which they turn up.
const IDS: &[&str] = &[
    "6bq3v8zk7dm2",
    "6bq3w1c5hg9t",
    "6bq3w4n0s6ra",
    "6bq3x7e2yf8k",
    "6bq3xh5tbq1m",
    "6bq3y0j9dw4c",
    "6bq3y6z3na7p",
    "6bq3z2m8xk5e",
    "6bq3zcf4vr0h",
    "6bq3zn7qgt6y",
    "6bq40a1hs9db",
    "6bq40k6pwc3z",
    "6bq4155jrx8n",
    "6bq41fy2mb4g",
];

static ID: LazyLock<Regex> = LazyLock::new(|| pattern(r"\b[0-9][0-9a-hjkmnp-tv-z]{11}\b"));
static TIME: LazyLock<Regex> = LazyLock::new(|| pattern(r"\b2\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"));
static DURATION: LazyLock<Regex> = LazyLock::new(|| pattern(r"\b\d+\.\ds\b"));
static DURATIONS: LazyLock<Regex> = LazyLock::new(|| pattern(r"(TOOK|\b0\.1s)  +"));
static USER: LazyLock<Regex> = LazyLock::new(|| pattern(r"\buser:[A-Za-z0-9_.-]*[A-Za-z0-9_]"));
static DEFINITION: LazyLock<Regex> = LazyLock::new(|| pattern(r"\bdefinition [0-9a-f]{12}\b"));
static PROCESS: LazyLock<Regex> = LazyLock::new(|| pattern(r"\bprocess \d+\b"));

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a valid pattern")
}

/// The placeholders of one document.
#[derive(Debug, Default)]
pub struct Placeholders {
    /// The real ids of runs, in the order in which they turned up.
    ids: Vec<String>,
}

impl Placeholders {
    /// What the documents show of an output.
    pub fn hide(&mut self, output: &str, folder: &Path) -> String {
        let output = output.replace(&folder.display().to_string(), "/home/ana");
        let output = TIME.replace_all(&output, "2026-03-01T09:00:00Z");
        let output = DURATION.replace_all(&output, "0.1s");
        let output = DURATIONS.replace_all(&output, "$1  ");
        let output = USER.replace_all(&output, "user:ana");
        let output = PROCESS.replace_all(&output, "process 4711");
        let output = DEFINITION.replace_all(&output, "definition");
        let output = ID.replace_all(&output, |found: &regex::Captures| self.placeholder(&found[0]));
        output.replace("\n  definition\n", "\n  definition 5f0c3a9be17d\n")
    }

    /// The command that is really typed for one in a document.
    pub fn reveal(&self, command: &str) -> String {
        let pairs = IDS.iter().zip(&self.ids);
        pairs.fold(command.to_owned(), |command, (placeholder, id)| command.replace(placeholder, id))
    }

    fn placeholder(&mut self, id: &str) -> &'static str {
        let known = self.ids.iter().position(|known| known == id);
        let index = known.unwrap_or_else(|| {
            self.ids.push(id.to_owned());
            self.ids.len() - 1
        });
        IDS.get(index).expect("a document shows so many runs: add ids to the placeholders")
    }
}

#[test]
fn what_differs_is_hidden_and_found_again() {
    let mut placeholders = Placeholders::default();
    let output = "2026-11-21T08:12:33.5Z 6fk2m8xq4tz1 took 13.4s in /tmp/x/data, by user:root, next 6fk2m8xq4tz2\n";
    let shown = placeholders.hide(output, Path::new("/tmp/x"));
    assert_eq!(
        shown,
        "2026-03-01T09:00:00Z 6bq3v8zk7dm2 took 0.1s in /home/ana/data, by user:ana, next 6bq3w1c5hg9t\n"
    );
    assert_eq!(placeholders.reveal("show 6bq3w1c5hg9t"), "show 6fk2m8xq4tz2");
    assert_eq!(placeholders.hide("transparency 123456789012345", Path::new("/tmp/x")), "transparency 123456789012345");
}
