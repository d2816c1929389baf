//! Random runbooks, as data: what the text says, what the checker holds a run to, and what shrinking takes apart.
//!
//! To add a kind of step: a variant of [`Kind`], how it is written ([`text`]), how it is made up ([`grammar`]). The
//! compiler names the places, and a test demands that every kind of the language is reached.

pub mod grammar;
pub mod text;

/// A runbook.
#[derive(Clone, Debug)]
pub struct Runbook {
    /// Its name.
    pub name: String,
    /// Its own steps; never empty.
    pub steps: Vec<Step>,
    /// Steps for a run that failed.
    pub on_failure: Vec<Step>,
    /// Steps that come last.
    pub finally: Vec<Step>,
    /// Milliseconds for the whole run.
    pub timeout: Option<u64>,
    /// Whether it computes outputs.
    pub outputs: bool,
}

/// A step.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its id, unique in its block.
    pub id: String,
    /// What it does.
    pub kind: Kind,
    /// What it needs; `None` for the step before it.
    pub needs: Option<Vec<String>>,
    /// Whether it has a title that must be worked out.
    pub title: bool,
    /// A condition, and whether it holds.
    pub when: Option<bool>,
    /// Left out.
    pub disabled: bool,
    /// As written.
    pub effect: Option<Effect>,
    /// More tries.
    pub retry: Option<Retry>,
    /// Milliseconds for one attempt.
    pub attempt: Option<u64>,
    /// Milliseconds for all attempts.
    pub total: Option<u64>,
    /// What a failure does.
    pub on_error: OnError,
    /// Handlers.
    pub catch: Vec<Catch>,
    /// Steps for its end.
    pub finally: Vec<Step>,
    /// Whether it declares outputs.
    pub outputs: bool,
    /// Milliseconds between two rounds, repeated until it ends well.
    pub until: Option<u64>,
    /// A command that finds out what became of it, and whether that declares outputs.
    pub probe: Option<bool>,
    /// What takes back what it did.
    pub undo: Vec<Step>,
    /// Where it goes on.
    pub next: Option<Next>,
}

/// Where a step goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// With this step of its block.
    To(String),
    /// Behind the last of its block.
    End,
}

/// What a step does.
#[derive(Clone, Debug)]
pub enum Kind {
    /// A script for a shell.
    Shell,
    /// A program.
    Exec,
    /// A request with this method; not supervised, so it dies with the engine.
    Http(&'static str),
    /// Rhai; `true` for one that takes longer than a turn may.
    Script(bool),
    /// A variable.
    Set,
    /// A variable that counts, up to a number, how often it led back.
    Count,
    /// A condition, and whether it holds.
    Assert(bool),
    /// So many milliseconds.
    WaitFor(u64),
    /// Until so many milliseconds from when it is asked.
    WaitUntil(u64),
    /// The next signal.
    Await,
    /// That so many people approve.
    Approve(u64),
    /// What a person fills in.
    Ask,
    /// Nested steps.
    Do(Vec<Step>),
    /// Branches.
    Parallel {
        /// By name.
        branches: Vec<(String, Vec<Step>)>,
        /// What a failure does to the others.
        on_fail: &'static str,
        /// So many must end well.
        wins: Option<u64>,
    },
    /// One of several lists.
    Switch {
        /// What is asked for; `None` where the cases have conditions.
        value: Option<bool>,
        /// By name, and whether each would match.
        cases: Vec<(String, bool, Vec<Step>)>,
        /// When none matches.
        otherwise: Option<Vec<Step>>,
    },
    /// Steps for every item.
    Foreach {
        /// What it runs over.
        items: Items,
        /// So many items at once.
        concurrency: u64,
        /// So many may fail.
        tolerate: u64,
        /// What one failure more does to the rest.
        on_fail: &'static str,
        /// What is done with each.
        steps: Vec<Step>,
    },
    /// Steps again and again.
    Repeat {
        /// When it ends.
        ends: Ends,
        /// Rounds until then.
        rounds: u64,
        /// Rounds that there may be.
        max: u64,
        /// Milliseconds between two rounds.
        every: Option<u64>,
        /// What is done in each.
        steps: Vec<Step>,
    },
    /// An error.
    Fail,
    /// The run's good end; whether with outputs of its own.
    Finish(bool),
}

/// What a `foreach` runs over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Items {
    /// So many elements of a list.
    List(u64),
    /// So many numbers.
    Range(u64),
    /// So many lines of a file.
    File(u64),
}

impl Items {
    /// How many there are.
    pub const fn count(self) -> u64 {
        match self {
            Self::List(count) | Self::Range(count) | Self::File(count) => count,
        }
    }
}

/// How a `repeat` knows that it is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// It is asked after each round.
    Until,
    /// It is asked before each round.
    While,
}

/// What an unknown outcome allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// `pure`.
    Pure,
    /// `idempotent`.
    Idempotent,
    /// `once`.
    Once,
}

/// What a failure that nothing caught does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnError {
    /// `fail`.
    Fail,
    /// `continue`.
    Continue,
    /// `late`.
    Late,
}

/// More tries after definite failures.
#[derive(Clone, Debug)]
pub struct Retry {
    /// Tries in all.
    pub attempts: u64,
    /// Milliseconds before the second.
    pub delay: u64,
    /// What each further delay is multiplied by.
    pub factor: u64,
    /// Milliseconds that no delay exceeds.
    pub max_delay: u64,
    /// Whether the delay is random.
    pub jitter: bool,
    /// Only for failures of kind `failed`.
    pub when: bool,
}

/// A handler.
#[derive(Clone, Debug)]
pub struct Catch {
    /// Only for errors of this kind.
    pub kind: Option<&'static str>,
    /// What handles them.
    pub steps: Vec<Step>,
}

impl Step {
    /// A step without any option.
    pub fn new(id: String, kind: Kind) -> Self {
        Self {
            id,
            kind,
            needs: None,
            title: false,
            when: None,
            disabled: false,
            effect: None,
            retry: None,
            attempt: None,
            total: None,
            on_error: OnError::Fail,
            catch: Vec::new(),
            finally: Vec::new(),
            outputs: false,
            until: None,
            probe: None,
            undo: Vec::new(),
            next: None,
        }
    }

    /// Whether it acts on the world.
    pub const fn is_acting(&self) -> bool {
        match self.kind {
            Kind::Shell | Kind::Exec | Kind::Http(_) => true,
            Kind::Script(_)
            | Kind::Set
            | Kind::Count
            | Kind::Assert(_)
            | Kind::WaitFor(_)
            | Kind::WaitUntil(_)
            | Kind::Await
            | Kind::Approve(_)
            | Kind::Ask
            | Kind::Do(_)
            | Kind::Parallel { .. }
            | Kind::Switch { .. }
            | Kind::Foreach { .. }
            | Kind::Repeat { .. }
            | Kind::Fail
            | Kind::Finish(_) => false,
        }
    }

    /// Whether it waits for somebody.
    pub const fn awaits(&self) -> bool {
        matches!(self.kind, Kind::Await | Kind::Approve(_) | Kind::Ask)
    }

    /// Whether it has steps of its own.
    pub const fn is_block(&self) -> bool {
        match self.kind {
            Kind::Do(_) | Kind::Parallel { .. } | Kind::Switch { .. } | Kind::Foreach { .. } | Kind::Repeat { .. } => {
                true
            }
            Kind::Shell
            | Kind::Exec
            | Kind::Http(_)
            | Kind::Script(_)
            | Kind::Set
            | Kind::Count
            | Kind::Assert(_)
            | Kind::WaitFor(_)
            | Kind::WaitUntil(_)
            | Kind::Await
            | Kind::Approve(_)
            | Kind::Ask
            | Kind::Fail
            | Kind::Finish(_) => false,
        }
    }

    /// What may happen after an unknown outcome of an acting step, as the language says.
    pub fn effective(&self) -> Effect {
        self.effect.unwrap_or(match self.kind {
            Kind::Shell | Kind::Exec | Kind::Http("POST" | "PATCH") => Effect::Once,
            Kind::Http(_) => Effect::Idempotent,
            Kind::Script(_)
            | Kind::Set
            | Kind::Count
            | Kind::Assert(_)
            | Kind::WaitFor(_)
            | Kind::WaitUntil(_)
            | Kind::Await
            | Kind::Approve(_)
            | Kind::Ask
            | Kind::Do(_)
            | Kind::Parallel { .. }
            | Kind::Switch { .. }
            | Kind::Foreach { .. }
            | Kind::Repeat { .. }
            | Kind::Fail
            | Kind::Finish(_) => Effect::Pure,
        })
    }

    /// Of a `switch` the cases that do not match, or come behind one that does.
    fn passed_over(&self) -> Vec<&str> {
        let Kind::Switch { cases, .. } = &self.kind else { return Vec::new() };
        let chosen = cases.iter().position(|(_, matches, _)| *matches);
        let all = cases.iter().map(|(name, ..)| name.as_str()).chain(["else"]).enumerate();
        all.filter(|(place, _)| *place != chosen.unwrap_or(cases.len())).map(|(_, name)| name).collect()
    }

    /// The lists of steps in it, each with what stands in paths for it.
    pub fn blocks(&self) -> Vec<(Option<&str>, &Vec<Step>)> {
        let mut blocks: Vec<(Option<&str>, &Vec<Step>)> = match &self.kind {
            Kind::Do(steps) | Kind::Foreach { steps, .. } | Kind::Repeat { steps, .. } => vec![(None, steps)],
            Kind::Parallel { branches, .. } => {
                branches.iter().map(|(name, steps)| (Some(name.as_str()), steps)).collect()
            }
            Kind::Switch { cases, otherwise, .. } => {
                let named = cases.iter().map(|(name, _, steps)| (Some(name.as_str()), steps));
                named.chain(otherwise.iter().map(|steps| (Some("else"), steps))).collect()
            }
            Kind::Shell
            | Kind::Exec
            | Kind::Http(_)
            | Kind::Script(_)
            | Kind::Set
            | Kind::Count
            | Kind::Assert(_)
            | Kind::WaitFor(_)
            | Kind::WaitUntil(_)
            | Kind::Await
            | Kind::Approve(_)
            | Kind::Ask
            | Kind::Fail
            | Kind::Finish(_) => Vec::new(),
        };
        // Those behind the first have their place in the name.
        let names = ["catch", "catch#2"];
        blocks.extend(self.catch.iter().zip(names).map(|(entry, name)| (Some(name), &entry.steps)));
        blocks.push((Some("finally"), &self.finally));
        blocks.push((Some("undo"), &self.undo));
        blocks
    }

    /// The same, to be changed.
    pub fn blocks_mut(&mut self) -> Vec<&mut Vec<Step>> {
        let mut blocks: Vec<&mut Vec<Step>> = match &mut self.kind {
            Kind::Do(steps) | Kind::Foreach { steps, .. } | Kind::Repeat { steps, .. } => vec![steps],
            Kind::Parallel { branches, .. } => branches.iter_mut().map(|(_, steps)| steps).collect(),
            Kind::Switch { cases, otherwise, .. } => {
                cases.iter_mut().map(|(_, _, steps)| steps).chain(otherwise).collect()
            }
            Kind::Shell
            | Kind::Exec
            | Kind::Http(_)
            | Kind::Script(_)
            | Kind::Set
            | Kind::Count
            | Kind::Assert(_)
            | Kind::WaitFor(_)
            | Kind::WaitUntil(_)
            | Kind::Await
            | Kind::Approve(_)
            | Kind::Ask
            | Kind::Fail
            | Kind::Finish(_) => Vec::new(),
        };
        blocks.extend(self.catch.iter_mut().map(|entry| &mut entry.steps));
        blocks.push(&mut self.finally);
        blocks.push(&mut self.undo);
        blocks
    }
}

impl Runbook {
    /// The beginnings of the paths of all steps that never run, whatever happens: those of cases that do not match.
    pub fn unreachable(&self) -> Vec<String> {
        let passed = |(path, step): (String, &Step)| {
            step.passed_over().into_iter().map(|case| format!("{path}/{case}/")).collect::<Vec<_>>()
        };
        self.paths().into_iter().flat_map(passed).collect()
    }

    /// Every step with its path in the file: names of blocks, branches and steps joined by `/`.
    pub fn paths(&self) -> Vec<(String, &Step)> {
        let mut found = Vec::new();
        walk("", &self.steps, &mut found);
        walk("on_failure", &self.on_failure, &mut found);
        walk("finally", &self.finally, &mut found);
        found
    }
}

fn walk<'a>(prefix: &str, steps: &'a [Step], found: &mut Vec<(String, &'a Step)>) {
    for step in steps {
        let path = join(prefix, &step.id);
        found.push((path.clone(), step));
        for (name, inner) in step.blocks() {
            let prefix = name.map_or_else(|| path.clone(), |name| join(&path, name));
            walk(&prefix, inner, found);
        }
    }
}

fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") }
}
