//! `retry`: how often a definite failure is tried again.

use crate::compile::keys::Keys;
use crate::compile::reader::Reader;
use crate::diagnostic::Code;
use crate::graph::Retry;
use crate::limits;
use crate::runbook::Place;
use crate::scalar;
use crate::value::Millis;
use crate::yaml::Node;

const KEYS: Keys = Keys {
    of: "`retry`",
    known: &["attempts", "delay", "factor", "max_delay", "jitter", "when"],
    later: &[],
    hints: &[
        ("max_attempts", "the number of tries in all is called `attempts`"),
        ("count", "the number of tries in all is called `attempts`"),
        ("times", "the number of tries in all is called `attempts`"),
        ("backoff", "each delay is the one before times `factor`"),
        ("interval", "the first delay is called `delay`"),
    ],
};

const DELAY: Millis = Millis(1_000);
const FACTOR: f64 = 2.0;
const MAX_DELAY: Millis = Millis(300_000);

/// Reads `retry: 3`, a rule as a map, or a list of such.
pub fn read(reader: &mut Reader, node: &Node) -> Option<Vec<Retry>> {
    match node {
        Node::Scalar(_) => {
            let attempts = attempts(reader, node, "`retry`")?;
            let (delay, factor, max_delay) = (DELAY, FACTOR, MAX_DELAY);
            Some(vec![Retry { attempts, delay, factor, max_delay, jitter: true, when: None }])
        }
        Node::Mapping(_) => Some(vec![rule(reader, node)?]),
        Node::Sequence(_) => {
            let list = reader.sequence(node, "`retry`", "a number, a rule, or a list of rules")?;
            let rules: Vec<Retry> = list.items.iter().filter_map(|item| rule(reader, item)).collect();
            (rules.len() == list.items.len()).then_some(rules)
        }
    }
}

fn rule(reader: &mut Reader, node: &Node) -> Option<Retry> {
    let mapping = reader.mapping(node, &KEYS)?;
    let attempts = reader.required(mapping, "`retry`", "attempts", "attempts: 3")?;
    let attempts = self::attempts(reader, attempts, "`attempts`");
    let given = mapping.get("delay").map(|node| reader.duration_or_zero(node, "`delay`"));
    let longest = mapping.get("max_delay").map(|node| reader.duration_or_zero(node, "`max_delay`"));
    let factor = mapping.get("factor").map_or(Some(FACTOR), |node| factor(reader, node));
    let jitter = mapping.get("jitter").map_or(Some(true), |node| {
        reader.choice(node, "`jitter`", &[("full", true), ("none", false)]).map(|jitter| jitter.value)
    });
    let when = mapping.get("when").and_then(|when| reader.expression(when, "`when`", Place::RetryWhen));
    if let (Some(Some(delay)), Some(Some(longest))) = (&given, &longest)
        && delay.value > longest.value
    {
        let diagnostic = reader
            .at(Code::DELAY_ABOVE_MAXIMUM, delay.span, "`delay` is longer than `max_delay`")
            .also(longest.span, format!("no delay is longer than {}", longest.value));
        reader.report(diagnostic);
    }
    // A first delay beyond the default maximum is meant: it raises the maximum with it.
    let delay = given.map_or(Some(DELAY), |delay| delay.map(|delay| delay.value));
    let longest =
        longest.map_or(Some(MAX_DELAY.max(delay.unwrap_or_default())), |longest| longest.map(|longest| longest.value));
    Some(Retry { attempts: attempts?, delay: delay?, factor: factor?, max_delay: longest?, jitter: jitter?, when })
}

fn attempts(reader: &mut Reader, node: &Node, what: &str) -> Option<u32> {
    let attempts = reader.integer(node, what, 1, limits::RETRY_ATTEMPTS)?;
    if attempts.value == 1 {
        let diagnostic = reader
            .at(Code::RETRY_OF_ONE, attempts.span, format!("{what} counts all tries, so 1 is no retry at all"))
            .help("write 2 to try once more");
        reader.report(diagnostic);
    }
    u32::try_from(attempts.value).ok()
}

fn factor(reader: &mut Reader, node: &Node) -> Option<f64> {
    let scalar = reader.scalar(node, "`factor`", "a number")?;
    match scalar::float(&scalar.text) {
        Ok(factor) if (1.0..=limits::RETRY_FACTOR).contains(&factor) => Some(factor),
        Ok(_) => {
            let message = format!("`factor` must be between 1 and {}", limits::RETRY_FACTOR);
            let diagnostic = reader.at(Code::OUT_OF_RANGE, scalar.span, message);
            reader.report(diagnostic);
            None
        }
        Err(_) => {
            reader.wrong_type(node, "`factor`", "a number");
            None
        }
    }
}
