//! `probe`: what finds out whether an effect took place of which nobody heard.

use crate::compile::keys::Keys;
use crate::compile::reader::Reader;
use crate::diagnostic::Code;
use crate::graph::{BlockId, Effect, Exec, Kind, NodeId, Probe, Role, Shell};
use crate::runbook::{Block, Owner, Place, Step};
use crate::source::Spanned;
use crate::yaml::{Mapping, Node, Scalar};

use super::{exec, http, shell};

const KEYS: Keys = Keys {
    of: "`probe`",
    known: &["exec", "shell", "http", "done", "outputs", "timeout", "env"],
    later: &[],
    hints: &[
        ("until", "a probe is asked once; whether the effect took place is `done`"),
        ("when", "whether the effect took place is called `done`"),
        ("retry", "a probe is asked once; a person is asked where it does not know"),
    ],
};

/// What a command says about an effect where nothing else is written: 0 for yes, 1 for no.
const ANSWERS: [i32; 2] = [0, 1];

/// Reads `probe: { exec: [...], done: …, outputs: { … } }` of a step.
pub fn read(reader: &mut Reader, node: &Node, owner: NodeId) -> Option<Probe> {
    let mapping = reader.mapping(node, &KEYS)?;
    let (key, value) = kind_of(reader, mapping)?;
    let block = BlockId(u32::try_from(reader.book.blocks.len()).expect("the budget of nodes is far below 2^32"));
    let id = NodeId(u32::try_from(reader.book.steps.len()).expect("the budget of nodes is far below 2^32"));
    reader.book.blocks.push(Block { owner: Some(owner), role: Role::Probe, steps: vec![id] });
    reader.book.steps.push(Step::empty(key.span, block, 1));
    let (step, done, outputs) = reader.owned_by(Owner::Step(id), |reader| {
        let mut step = Step::empty(key.span, block, 1);
        step.kind = match key.text.as_str() {
            "exec" => exec::read(reader, value, id),
            "shell" => shell::read(reader, value, id),
            _ => http::read(reader, value, id),
        };
        if let Some(Kind::Exec(Exec { command, .. }) | Kind::Shell(Shell { command, .. })) = &mut step.kind
            && command.expect.is_empty()
        {
            command.expect = ANSWERS.to_vec();
        }
        step.effect = Some(Spanned::new(Effect::Pure, key.span));
        if let Some(timeout) = mapping.get("timeout") {
            step.timeout = super::read_timeouts(reader, timeout);
        }
        if let Some(env) = mapping.get("env") {
            step.env = reader.texts(env, "`env`", Place::Env);
        }
        let done = mapping.get("done").and_then(|done| reader.expression(done, "`done`", Place::ProbeDone));
        let outputs = mapping.get("outputs").map(|outputs| reader.expressions(outputs, "`outputs`", Place::Outputs));
        (step, done, outputs.unwrap_or_default())
    });
    let is_request = matches!(step.kind, Some(Kind::Http(_)));
    reader.book.steps[id.0 as usize] = step;
    if is_request && mapping.get("done").is_none() {
        let diagnostic = reader
            .at(Code::MISSING_KEY, key.span, "nothing says which answer means that the effect took place")
            .help("say it: `done: code == 200`, with `expect` in `http` for all answers that say yes or no");
        reader.report(diagnostic);
    }
    Some(Probe { block, done, outputs: super::unspanned(outputs) })
}

/// The one key that says how to find out.
fn kind_of<'n>(reader: &mut Reader, mapping: &'n Mapping) -> Option<(&'n Scalar, &'n Node)> {
    let mut kinds = mapping.entries.iter().filter(|(key, _)| matches!(key.text.as_str(), "exec" | "shell" | "http"));
    match (kinds.next(), kinds.next()) {
        (Some((key, value)), None) => Some((key, value)),
        (Some((first, _)), Some((second, _))) => {
            let diagnostic = reader
                .at(Code::TWO_KINDS, second.span, "a probe finds out in one way, and this one has two")
                .also(first.span, "the first");
            reader.report(diagnostic);
            None
        }
        (None, _) => {
            let span = mapping.entries.first().map_or(mapping.span, |(key, _)| key.span);
            let diagnostic = reader
                .at(Code::NO_KIND, span, "a probe does not say how to find out")
                .help("add one of `exec`, `shell`, `http`");
            reader.report(diagnostic);
            None
        }
    }
}
