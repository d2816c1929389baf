//! `triggers`: what starts runs of the runbook by itself.

use std::collections::BTreeSet;

use crate::diagnostic::{Code, suggest};
use crate::graph::{Catchup, Due, Field, Overlap, Param, ParamType, Trigger, WITHIN};
use crate::limits;
use crate::param;
use crate::runbook::Place;
use crate::scalar;
use crate::schedule::{self, Cron, CronError, Dst, Fold, Gap, Oddity, Rule};
use crate::source::{Span, Spanned};
use crate::value::{Millis, Timestamp, Value};
use crate::yaml::{Mapping, Node};

use super::keys::{Keys, is_name, quoted, shorten};
use super::reader::Reader;

const LATER: &str = "start the runbook from what receives it, with `lockstep run`";

const KEYS: Keys = Keys {
    of: "a trigger",
    known: &[
        "cron", "every", "at", "id", "timezone", "dst", "catchup", "within", "overlap", "jitter", "starts", "ends",
        "params", "enabled",
    ],
    later: &[
        ("except", "leave the days out of the line, or ask in the runbook's first step"),
        ("webhook", LATER),
        ("alert", LATER),
        ("event", LATER),
        ("file", LATER),
        ("run", "call the runbook from that one"),
        ("auth", LATER),
        ("filter", LATER),
        ("dedupe", LATER),
        ("throttle", LATER),
        ("group", LATER),
    ],
    hints: &[
        ("schedule", "a line of a crontab stands under `cron`, a length of time under `every`"),
        ("interval", "a length of time stands under `every`"),
        ("name", "what names a trigger is its `id`"),
        ("tz", "the zone is called `timezone`"),
        ("zone", "the zone is called `timezone`"),
        ("disabled", "write `enabled: false`"),
        ("inputs", "what its runs are given stands under `params`"),
        ("start", "the bounds are called `starts` and `ends`"),
        ("end", "the bounds are called `starts` and `ends`"),
    ],
};

/// What a trigger is started by: one of these stands in each.
const KINDS: &[&str] = &["cron", "every", "at"];

const DST: Keys = Keys::only("`dst`", &["gap", "fold"]);

/// No length of time between two ticks, and no jitter of a line, is shorter than the clock of the engine counts well.
const SHORTEST: Millis = Millis(1_000);

/// The years, from that of the zone data on, in which a line is held against the transitions of its zone.
const YEARS_AHEAD: i16 = 10;

impl Reader<'_> {
    /// Reads the list.
    pub(super) fn triggers(&mut self, node: &Node) {
        let Some(sequence) = self.sequence(node, "`triggers`", "a list of triggers") else { return };
        if sequence.items.len() > limits::TRIGGERS {
            let message = format!("a runbook has at most {} triggers", limits::TRIGGERS);
            let diagnostic = self.at(Code::OUT_OF_RANGE, sequence.items[limits::TRIGGERS].span(), message);
            self.report(diagnostic);
            return;
        }
        let mut ids: Vec<Spanned<String>> = Vec::new();
        for item in &sequence.items {
            let Some(mapping) = self.mapping(item, &KEYS) else { continue };
            let Some((trigger, at)) = self.trigger(mapping) else { continue };
            if let Some(first) = ids.iter().find(|id| id.value == trigger.id) {
                let first = first.span;
                let diagnostic = self
                    .at(Code::TRIGGER_TWICE, at, format!("a second trigger has the id `{}`", trigger.id))
                    .also(first, "the first")
                    .help("give each an `id`; what was due is remembered by it");
                self.report(diagnostic);
                continue;
            }
            ids.push(Spanned::new(trigger.id.clone(), at));
            self.book.triggers.push(trigger);
        }
    }

    /// One trigger, and where its id stands, or what it is named by.
    fn trigger(&mut self, mapping: &Mapping) -> Option<(Trigger, Span)> {
        let found = self.found();
        let kinds: Vec<_> = mapping.entries.iter().filter(|(key, _)| KINDS.contains(&key.text.as_str())).collect();
        let (kind, value) = match kinds.as_slice() {
            [(key, value)] => (key, value),
            [] => {
                // A kind that this version does not have was told.
                if self.found() == found && !mapping.entries.iter().any(|(key, _)| is_later(&key.text)) {
                    let span = mapping.entries.first().map_or(mapping.span, |(key, _)| key.span);
                    let message = "nothing says what starts this trigger";
                    let diagnostic = self
                        .at(Code::TRIGGER_KIND, span, message)
                        .help(format!("it has one of {}, such as `cron: '0 3 * * *'`", quoted(KINDS)));
                    self.report(diagnostic);
                }
                return None;
            }
            [(first, _), (second, _), ..] => {
                let message = format!("a trigger has `{}` or `{}`, not both", first.text, second.text);
                let diagnostic = self
                    .at(Code::TRIGGER_KIND, second.span, message)
                    .also(first.span, "the first")
                    .help("write two triggers, each with an `id`");
                self.report(diagnostic);
                return None;
            }
        };
        let (id, at) = match mapping.get("id") {
            Some(node) => {
                let id = self.constant(node, "`id`")?;
                if !is_name(&id.value) {
                    let message = format!("`{}` cannot be an id", shorten(&id.value));
                    let diagnostic = self
                        .at(Code::ID, id.span, message)
                        .help("an id begins with a lower case letter; lower case letters, digits and `_` follow");
                    self.report(diagnostic);
                    return None;
                }
                (id.value, id.span)
            }
            None => (kind.text.clone(), kind.span),
        };
        let due = match kind.text.as_str() {
            "cron" => self.cron(value),
            "every" => self.every(value),
            _ => self.instant(value, "`at`").map(|at| Due::At(at.value)),
        };
        let trigger = self.options(mapping, id, due.as_ref());
        let trigger = Trigger { due: due?, ..trigger };
        if self.found() == found {
            self.check_times(&trigger, value.span(), mapping.get("dst").is_some());
        }
        Some((trigger, at))
    }

    /// What all kinds have, and what only lines have.
    fn options(&mut self, mapping: &Mapping, id: String, due: Option<&Due>) -> Trigger {
        let timezone = mapping.get("timezone").and_then(|node| self.timezone(node));
        let dst = mapping.get("dst").map(|node| self.dst(node)).unwrap_or_default();
        if let Some(other) = due.filter(|due| !matches!(due, Due::Cron(_))) {
            for key in ["timezone", "dst"] {
                self.meaningless(mapping, key, &format!("`{}` has no time of the day", other.key()));
            }
        }
        if let Some(Due::Cron(line)) = due
            && Cron::parse(line).is_ok_and(|cron| !cron.names_hours())
        {
            self.meaningless(mapping, "dst", "a line whose hours begin with `*` follows the time that passes");
        }
        let catchups = [("none", Catchup::None), ("last", Catchup::Last), ("all", Catchup::All)];
        let overlaps = [
            ("allow", Overlap::Allow),
            ("skip", Overlap::Skip),
            ("queue", Overlap::Queue),
            ("cancel_previous", Overlap::CancelPrevious),
        ];
        let catchup = mapping.get("catchup").and_then(|node| self.choice(node, "`catchup`", &catchups));
        let catchup = catchup.map(|catchup| catchup.value).unwrap_or_default();
        if catchup == Catchup::None {
            self.meaningless(mapping, "within", "nothing is caught up");
        }
        let within = mapping.get("within").and_then(|node| self.duration(node, "`within`"));
        let overlap = mapping.get("overlap").and_then(|node| self.choice(node, "`overlap`", &overlaps));
        let jitter = mapping.get("jitter").and_then(|node| self.duration(node, "`jitter`"));
        let starts = mapping.get("starts").and_then(|node| self.instant(node, "`starts`"));
        let ends = mapping.get("ends").and_then(|node| self.instant(node, "`ends`"));
        let enabled = mapping.get("enabled").and_then(|node| self.boolean(node, "`enabled`"));
        let at = mapping.entries.first().map_or(mapping.span, |(key, _)| key.span);
        Trigger {
            id,
            due: Due::Every(SHORTEST),
            timezone: timezone.map_or_else(|| "UTC".to_owned(), |zone| zone.value),
            dst,
            catchup,
            within: within.map_or(WITHIN, |within| within.value),
            overlap: overlap.map(|overlap| overlap.value).unwrap_or_default(),
            jitter: jitter.map(|jitter| jitter.value),
            starts: starts.map(|starts| starts.value),
            ends: ends.map(|ends| ends.value),
            params: self.trigger_params(mapping.get("params"), at),
            enabled: enabled.is_none_or(|enabled| enabled.value),
        }
    }

    fn meaningless(&mut self, mapping: &Mapping, key: &str, why: &str) {
        let Some((key, _)) = mapping.entries.iter().find(|(other, _)| other.text == key) else { return };
        let message = format!("`{}` means nothing on this trigger", key.text);
        let diagnostic = self.at(Code::TRIGGER_KEY, key.span, message).label(why).help("leave it out");
        self.report(diagnostic);
    }

    fn cron(&mut self, node: &Node) -> Option<Due> {
        let line = self.constant(node, "`cron`")?;
        match Cron::parse(&line.value) {
            Ok(_) => Some(Due::Cron(line.value)),
            Err(CronError { at, message, help }) => {
                let Node::Scalar(scalar) = node else { return None };
                let diagnostic = self.at(Code::CRON, scalar.locate(at.start, at.end), message);
                self.report(match help {
                    Some(help) => diagnostic.help(help),
                    None => diagnostic,
                });
                None
            }
        }
    }

    fn every(&mut self, node: &Node) -> Option<Due> {
        let length = self.duration(node, "`every`")?;
        if length.value < SHORTEST {
            let diagnostic = self.at(Code::OUT_OF_RANGE, length.span, "`every` must be `1s` or longer");
            self.report(diagnostic);
            return None;
        }
        Some(Due::Every(length.value))
    }

    fn instant(&mut self, node: &Node, what: &str) -> Option<Spanned<Timestamp>> {
        let scalar = self.scalar(node, what, "a point in time such as `2027-03-01T09:00:00Z`")?;
        self.constant(node, what)?;
        match scalar::time(&scalar.text) {
            Ok(at) => Some(Spanned::new(at, scalar.span)),
            Err(error) => {
                self.bad_scalar(Code::TIME, scalar, what, &error);
                None
            }
        }
    }

    fn timezone(&mut self, node: &Node) -> Option<Spanned<String>> {
        let name = self.constant(node, "`timezone`")?;
        if schedule::zone(&name.value).is_some() {
            return Some(name);
        }
        // Of some hundred zones, those of the same part of the world.
        let area: String = name.value.to_lowercase().chars().take(3).collect();
        let names = schedule::zones().into_iter().filter(|zone| zone.to_lowercase().starts_with(&area));
        let names: Vec<String> = names.collect();
        let diagnostic =
            self.at(Code::TIMEZONE, name.span, format!("there is no time zone `{}`", shorten(&name.value)));
        self.report(match suggest(&name.value, names.iter().map(String::as_str)) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
            None => diagnostic.help("zones have the names of the IANA database, such as `Europe/Berlin` or `UTC`"),
        });
        None
    }

    fn dst(&mut self, node: &Node) -> Dst {
        let Some(mapping) = self.mapping(node, &DST) else { return Dst::default() };
        let gaps = [("after", Gap::After), ("skip", Gap::Skip)];
        let folds = [("first", Fold::First), ("last", Fold::Last), ("both", Fold::Both)];
        let gap = mapping.get("gap").and_then(|node| self.choice(node, "`gap`", &gaps));
        let fold = mapping.get("fold").and_then(|node| self.choice(node, "`fold`", &folds));
        Dst { gap: gap.map(|gap| gap.value).unwrap_or_default(), fold: fold.map(|fold| fold.value).unwrap_or_default() }
    }

    /// What its runs are given, held against what the runbook takes.
    fn trigger_params(&mut self, node: Option<&Node>, at: Span) -> Vec<(String, Field)> {
        let mapping = node.and_then(|node| self.any_mapping(node, "`params`"));
        let declared: Vec<Param> = self.book.params.iter().map(|param| param.value.clone()).collect();
        let mut given: Vec<(String, Field)> = Vec::new();
        let mut seen = BTreeSet::new();
        for (key, value) in mapping.iter().flat_map(|mapping| &mapping.entries) {
            seen.insert(key.text.clone());
            let Some(param) = declared.iter().find(|param| param.name == key.text) else {
                let names: Vec<&str> = declared.iter().map(|param| param.name.as_str()).collect();
                let message = format!("this runbook has no parameter `{}`", shorten(&key.text));
                let diagnostic = self.at(Code::TRIGGER_PARAM, key.span, message);
                self.report(match suggest(&key.text, names.iter().copied()) {
                    Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                    None if names.is_empty() => diagnostic.help("it takes none; declare it under `params`"),
                    None => diagnostic.help(format!("its parameters are {}", quoted(&names))),
                });
                continue;
            };
            if let Some(field) = self.trigger_param(param, value) {
                given.push((param.name.clone(), field));
            }
        }
        for param in &declared {
            if param.default.is_some() || param.optional || seen.contains(&param.name) {
                continue;
            }
            let message = format!("this trigger does not give the parameter `{}`", param.name);
            let diagnostic = self.at(Code::TRIGGER_PARAM_MISSING, at, message).help(format!(
                "write `params: {{ {}: … }}`; it is of type `{}`, and a run cannot begin without it",
                param.name,
                param.kind.name()
            ));
            self.report(diagnostic);
        }
        given
    }

    fn trigger_param(&mut self, param: &Param, node: &Node) -> Option<Field> {
        let what = format!("parameter `{}`", param.name);
        let before = self.found();
        let field = match &param.kind {
            ParamType::Secret => self.secret_reference(node, &what)?,
            kind => self.param_value(node, &what, kind, Place::TriggerParam)?,
        };
        if let Field::Const(value) = &field
            && *value != Value::Null
            && self.found() == before
            && let Err(error) = param::check(param, value)
        {
            let diagnostic = self.at(Code::TRIGGER_PARAM, node.span(), format!("{what} {error}"));
            self.report(diagnostic);
        }
        Some(field)
    }

    /// Says what is odd about the times at which it is due.
    fn check_times(&mut self, trigger: &Trigger, span: Span, has_dst: bool) {
        let Ok(rule) = Rule::of(trigger) else { return };
        let bounded = trigger.starts.is_some() || trigger.ends.is_some();
        if bounded && rule.after(Timestamp(-1)).is_none() {
            let diagnostic = self
                .at(Code::TRIGGER_BOUNDS, span, "this is never due between `starts` and `ends`")
                .help("nothing is due before `starts`, and nothing from `ends` on");
            self.report(diagnostic);
        }
        let Due::Cron(line) = &trigger.due else { return };
        let (Ok(cron), Some(zone), false) = (Cron::parse(line), schedule::zone(&trigger.timezone), has_dst) else {
            return;
        };
        let Some((from, until)) = years_ahead() else { return };
        let (gap, fold) = schedule::odd(&cron, &zone, from, until);
        let Some(Oddity { tick, is_fold }) = gap.or(fold) else { return };
        let what = if is_fold { "comes twice" } else { "does not exist" };
        let message = format!("{} {what} in `{}`, and nothing says what is to happen", tick.nominal, trigger.timezone);
        let diagnostic = self
            .at(Code::DST_UNSAID, span, message)
            .help("say it: `dst: { gap: after, fold: first }` is what happens without a word")
            .help("`gap` is `after` or `skip`, `fold` is `first`, `last` or `both`; or choose an hour that clocks leave alone");
        self.report(diagnostic);
    }
}

fn is_later(key: &str) -> bool {
    KEYS.later.iter().any(|(later, _)| *later == key)
}

/// From the beginning of the year of the zone data on: the same for everybody who has this program.
fn years_ahead() -> Option<(jiff::Timestamp, jiff::Timestamp)> {
    let year: i16 = schedule::zone_data().get(..4)?.parse().ok()?;
    let begin = |year: i16| {
        let date = jiff::civil::date(year, 1, 1);
        date.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|begin| begin.timestamp())
    };
    Some((begin(year)?, begin(year + YEARS_AHEAD)?))
}
