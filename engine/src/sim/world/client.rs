//! Clients: what they ask, ask again, and are told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lockstep_dsl::value::{Map, Value};
use serde_json::Value as Json;

use super::{Event, World};
use crate::api::{Beginning, Reply, Request, Start};
use crate::core::run::{Person, Resolution};
use crate::driver::Caller;
use crate::sim::evidence::Answer;
use crate::sim::runbook::text::SIGNAL;
use crate::sim::scenario::{Ask, Order};

/// Milliseconds until a client asks again.
const AGAIN: u64 = 500;

/// Milliseconds between two looks of the people who bring every run to its end.
const LOOK: u64 = 600_000;

/// Requests that wait for their answer.
#[derive(Debug, Default)]
pub(super) struct Clients {
    waiting: BTreeMap<u64, (usize, Order)>,
    callers: u64,
    lost: Vec<Order>,
    /// Runs that were seen to have come to their end.
    pub done: BTreeSet<usize>,
}

impl Clients {
    /// The engine that was asked is gone.
    pub fn lose_all(&mut self) {
        let waiting = std::mem::take(&mut self.waiting);
        self.lost.extend(waiting.into_values().map(|(_, order)| order).filter(|order| order.is_urgent()));
    }

    /// What is asked again.
    pub fn take_lost(&mut self) -> Vec<Order> {
        std::mem::take(&mut self.lost)
    }
}

impl Order {
    /// Whether it is asked until there is an answer.
    fn is_urgent(self) -> bool {
        matches!(self.what, Ask::Start | Ask::Attend)
    }
}

impl World<'_> {
    /// A client asks for something.
    pub(super) fn order(&mut self, order: Order) {
        if self.engine.is_none() {
            // Nobody listens: people ask again, until the engine is there.
            self.plan(self.now + AGAIN, Event::Order(order));
            return;
        }
        let run = self.ids[order.run].to_string();
        let (what, request): (_, fn(String, String) -> Request) = match order.what {
            Ask::Start => ("start", |run, _| Request::Show { run }),
            Ask::Cancel => ("cancel", |run, by| Request::Cancel { run, by, undo: false }),
            Ask::CancelUndo => ("cancel", |run, by| Request::Cancel { run, by, undo: true }),
            Ask::Signal => {
                ("signal", |run, by| Request::Signal { run, name: SIGNAL.to_owned(), payload: Value::Null, by })
            }
            Ask::Retry => ("retry", |run, by| Request::Retry { run, by }),
            Ask::Resume => ("resume", |run, by| Request::Resume { run, by }),
            Ask::Pause => ("pause", |run, by| Request::Pause { run, by, reason: None }),
            Ask::Unpause => ("unpause", |run, by| Request::Unpause { run, by }),
            Ask::Resolve | Ask::Say | Ask::Skip | Ask::Show | Ask::Attend => ("show", |run, _| Request::Show { run }),
            Ask::History => ("history", |run, _| Request::History { run }),
            Ask::List => ("list", |_, _| Request::Runs { limit: 10, status: None, runbook: None }),
        };
        let (place, by) = self.note_asked(what, run.clone());
        let request = if order.what == Ask::Start { self.start_request(order.run, by) } else { request(run, by) };
        self.ask(place, order, request);
    }

    fn ask(&mut self, place: usize, order: Order, request: Request) {
        self.clients.callers += 1;
        let caller = self.clients.callers;
        self.clients.waiting.insert(caller, (place, order));
        self.say(|| format!("client c{place}: {:?} run {}", order.what, order.run));
        self.send(Caller(caller), request);
    }

    fn start_request(&self, run: usize, by: String) -> Request {
        Request::Start(Box::new(Start {
            id: self.ids[run],
            graph: Arc::clone(&self.graphs[run]),
            params: Map::new(),
            by,
            cwd: None,
            environment: None,
            beginning: Beginning::default(),
        }))
    }

    /// A client is answered.
    pub(super) fn answered(&mut self, caller: Caller, reply: &Reply) {
        let Some((place, order)) = self.clients.waiting.remove(&caller.0) else { return };
        let reply = serde_json::to_value(reply).unwrap_or_default();
        self.coverage.reply(&reply);
        self.trace.add_bytes(reply.to_string().as_bytes());
        let short: String = reply.to_string().chars().take(160).collect();
        self.say(|| format!("client c{place}: is told {short}"));
        let durable = self.durable();
        self.evidence.asked[place].answer = Some(Answer { durable, reply: reply.clone() });
        let refused_by_store = reply.pointer("/refused/kind").and_then(Json::as_str) == Some("store");
        match order.what {
            Ask::Start if refused_by_store => self.plan(self.now + 2 * AGAIN, Event::Order(order)),
            Ask::Resolve => self.resolve_first(order, &reply),
            Ask::Say => self.say_first(order, &reply),
            Ask::Skip => self.skip_one(order, &reply),
            Ask::Attend => self.attend(order, &reply),
            Ask::Pause
            | Ask::Unpause
            | Ask::Start
            | Ask::Cancel
            | Ask::CancelUndo
            | Ask::Signal
            | Ask::Retry
            | Ask::Resume
            | Ask::Show
            | Ask::History
            | Ask::List => {}
        }
    }

    /// Says how a step in doubt goes on, if the run that was looked at has one.
    fn resolve_first(&mut self, order: Order, shown: &Json) {
        let doubted = steps(shown).iter().find(|step| text(step, "/status") == Some("in_doubt"));
        let Some(path) = doubted.and_then(|step| text(step, "/path")) else { return };
        let run = self.ids[order.run].to_string();
        let (place, by) = self.note_asked("resolve", run.clone());
        let how = match self.fate(&[path, "resolve"], place as u64) % 4 {
            0 | 1 => Resolution::Done { outputs: Map::new() },
            2 => Resolution::Failed,
            _ => Resolution::Rerun,
        };
        let request = Request::Resolve { run, step: path.to_owned(), how, by };
        // Its answer leads to nothing more.
        self.ask(place, Order { what: Ask::Show, ..order }, request);
    }

    /// Says what a step waits for, if the run that was looked at has one that does.
    fn say_first(&mut self, order: Order, shown: &Json) {
        let waits = |step| Some((text(step, "/path")?, text(step, "/awaits/what")?));
        let waiting: Vec<(&str, &str)> = steps(shown).iter().filter_map(waits).collect();
        // Of several now this one, now that: people do not keep to an order.
        let chosen = self.fate(&["say"], self.evidence.asked.len() as u64) % (waiting.len().max(1)) as u64;
        let Some((path, what)) = usize::try_from(chosen).ok().and_then(|chosen| waiting.get(chosen)) else { return };
        let (run, step) = (self.ids[order.run].to_string(), (*path).to_owned());
        let (place, request) = match *what {
            "signal" => {
                let (place, by) = self.note_asked("signal", run.clone());
                (place, Request::Signal { run, name: SIGNAL.to_owned(), payload: Value::Null, by })
            }
            "approval" => {
                let (place, name) = self.note_asked("vote", run.clone());
                let yes = !self.fate(&[path, "vote"], place as u64).is_multiple_of(4);
                let person = Person { name, groups: Vec::new() };
                (place, Request::Vote { run, step, yes, person, comment: None })
            }
            "answer" => {
                let (place, name) = self.note_asked("answer", run.clone());
                let person = Person { name, groups: Vec::new() };
                (place, Request::Answer { run, step, fields: BTreeMap::new(), person })
            }
            _ => return,
        };
        // Its answer leads to nothing more.
        self.ask(place, Order { what: Ask::Show, ..order }, request);
    }

    /// Has a step not run, of those that the run has not come to, that wait, or that failed.
    fn skip_one(&mut self, order: Order, shown: &Json) {
        let may_be = |step: &&Json| {
            matches!(text(step, "/status"), Some("pending" | "ready" | "waiting" | "in_doubt" | "failed"))
        };
        let paths: Vec<&str> = steps(shown).iter().filter(may_be).filter_map(|step| text(step, "/path")).collect();
        if paths.is_empty() {
            return;
        }
        let run = self.ids[order.run].to_string();
        let (place, by) = self.note_asked("skip", run.clone());
        let chosen = self.fate(&["skip"], place as u64) % paths.len() as u64;
        let step = paths[usize::try_from(chosen).unwrap_or(0)].to_owned();
        let request = Request::Skip { run, step, by, reason: "done by hand".to_owned() };
        // Its answer leads to nothing more.
        self.ask(place, Order { what: Ask::Show, ..order }, request);
    }

    /// Brings a run to its end, once nothing goes wrong any more.
    fn attend(&mut self, order: Order, shown: &Json) {
        let Some(run) = shown.get("run") else {
            self.plan(self.now + LOOK, Event::Order(order));
            return;
        };
        let stuck = run.pointer("/error/kind").and_then(Json::as_str) == Some("quarantined");
        if run.get("ended").is_some_and(|ended| !ended.is_null()) || stuck {
            self.clients.done.insert(order.run);
            return;
        }
        if run.get("interrupted").and_then(Json::as_bool) == Some(true) {
            self.order(Order { what: Ask::Resume, ..order });
        } else if run.get("paused").is_some_and(|paused| !paused.is_null()) {
            self.order(Order { what: Ask::Unpause, ..order });
        } else {
            self.resolve_first(order, shown);
            self.say_first(order, shown);
        }
        self.plan(self.now + LOOK, Event::Order(order));
    }

    /// Asks again what was lost with an engine.
    pub(super) fn ask_again(&mut self) {
        for order in self.clients.take_lost() {
            self.plan(self.now + AGAIN, Event::Order(order));
        }
    }
}

/// The steps of a run that was shown.
fn steps(shown: &Json) -> &[Json] {
    shown.pointer("/run/steps").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The text at a place in what was shown.
fn text<'a>(shown: &'a Json, place: &str) -> Option<&'a str> {
    shown.pointer(place)?.as_str()
}
