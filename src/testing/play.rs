//! Rehearses one case.

use std::collections::BTreeMap;
use std::sync::Arc;

use lockstep_dsl::graph::Graph;
use lockstep_dsl::param;
use lockstep_dsl::test_file::{Act, Case, What, with_stand_ins};
use lockstep_dsl::value::{Map, Timestamp};
use lockstep_engine::core::run::Resolution;
use lockstep_engine::eval::Evaluator;
use lockstep_engine::rehearsal::{self, End, Setting, Story, Trouble, rehearse};

use super::people::People;
use super::script::Mocked;

/// When a run begins whose case does not say: noon on the first of March 2026.
const BEGINS: Timestamp = Timestamp(1_772_366_400_000);

/// Who asks for a run, and acts, where the case does not say.
const BY: &str = "user:test";

/// A case with its parameters in their types.
pub struct Prepared<'a> {
    case: &'a Case,
    people: People,
    setting: Setting,
}

/// Brings a case and its runbook together; where the parameters are wrong, what is wrong with them.
pub fn prepare<'a>(graph: &Graph, case: &'a Case) -> Result<Prepared<'a>, Vec<String>> {
    let given: BTreeMap<_, _> = case.params.iter().map(|(name, given)| (name.value.clone(), given.clone())).collect();
    let names: Vec<String> = given.keys().cloned().collect();
    let resolved = param::resolve(&graph.params, given)
        .map_err(|wrong| wrong.iter().map(ToString::to_string).collect::<Vec<_>>())?;
    let params: Map = resolved.values.into_iter().filter(|(name, _)| names.contains(name)).collect();
    let by = case.by.clone().unwrap_or_else(|| BY.to_owned());
    let people = People { by: by.clone(), groups: case.groups.clone() };
    let acts = case.acts.iter().map(|one| act(one, &people)).collect();
    let begin = case.begins.unwrap_or(BEGINS);
    let setting = Setting {
        graph: Arc::new(with_stand_ins(graph, &case.mocks)),
        params,
        begin,
        by,
        acts,
        until: case.until,
        trouble: None,
    };
    Ok(Prepared { case, people, setting })
}

impl Prepared<'_> {
    /// Rehearses it, with trouble or without.
    pub fn play(&self, evaluator: &Evaluator, trouble: Option<Trouble>) -> Story {
        let setting = Setting { trouble, ..self.setting.clone() };
        rehearse(&setting, evaluator, &mut Mocked::new(&self.case.mocks, &self.people))
    }
}

/// The story of a run that was refused before it could begin.
pub fn refused(why: &[String]) -> Story {
    Story {
        end: End::Refused(why.join("; ")),
        run: None,
        begun: Vec::new(),
        attempts: Vec::new(),
        elapsed: 0,
        called: Vec::new(),
        writes: 0,
        reached: BTreeMap::new(),
        broken: Vec::new(),
        refused: Vec::new(),
    }
}

fn act(act: &Act, people: &People) -> rehearsal::Act {
    let by = act.by.clone().unwrap_or_else(|| people.by.clone());
    let resolve = |step: &str, how| rehearsal::What::Resolve { step: step.to_owned(), how };
    let what = match &act.what {
        What::Cancel => rehearsal::What::Cancel,
        What::Retry => rehearsal::What::Retry,
        What::Signal { name, payload } => rehearsal::What::Signal { name: name.clone(), payload: payload.clone() },
        What::Vote { step, yes, comment } => {
            let (step, comment) = (step.value.clone(), comment.clone());
            rehearsal::What::Vote { step, yes: *yes, person: people.person(&by), comment }
        }
        What::Answer { step, fields } => {
            let (step, fields) = (step.value.clone(), fields.clone());
            rehearsal::What::Answer { step, fields, person: people.person(&by) }
        }
        What::Pause => rehearsal::What::Pause,
        What::Resume => rehearsal::What::Unpause,
        What::Skip { step, reason } => rehearsal::What::Skip { step: step.value.clone(), reason: reason.clone() },
        What::Done { step, outputs } => resolve(&step.value, Resolution::Done { outputs: outputs.clone() }),
        What::Failed(step) => resolve(&step.value, Resolution::Failed),
        What::Rerun(step) => resolve(&step.value, Resolution::Rerun),
    };
    rehearsal::Act { after: act.after, by, what }
}
