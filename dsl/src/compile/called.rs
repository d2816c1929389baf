//! The runbooks that a runbook calls: they are compiled with it, and travel with it.
//!
//! A path begins at the folder of the runbook that calls; a name is that of a runbook of the same library, and says in
//! which of its folders that stands. What is wrong with a runbook that is called is told in its own text, once.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use crate::check::is_runbook_name;
use crate::diagnostic::{Code, Severity};
use crate::graph::{Called, Graph};
use crate::limits;
use crate::source::{Source, Spanned};
use crate::yaml::{self, Node};

use super::files::{FileContent, FileError, Files};
use super::keys::shorten;
use super::reader::Reader;
use super::{Compiled, compile_around};

/// The runbooks around the one that is read: those that call it.
#[derive(Clone, Default)]
pub struct Around {
    /// Their names, the outermost first.
    names: Vec<String>,
    /// The file of the outermost, as the user wrote its path.
    file: String,
    /// The folder of the one that is read, from that of the outermost or from the library.
    folder: String,
    /// Every runbook that was called so far, by its place; `None` for one that something is wrong with.
    known: Rc<RefCell<BTreeMap<String, Option<Arc<Graph>>>>>,
}

/// A runbook that a `call` names.
enum Target {
    /// By a path from the folder of the runbook that calls.
    Path(String),
    /// By its name.
    Name(String),
}

/// What a place in the library begins with, among places that begin at the outermost runbook's folder.
const LIBRARY: &str = "library:";

impl Reader<'_> {
    /// The runbook that a `call` names, compiled: its place among those that this one calls.
    pub fn called(&mut self, node: &Node) -> Option<u32> {
        let text = self.constant(node, "the runbook of a `call`")?;
        if let Some(place) = self.book.called.iter().position(|called| called.target == text.value) {
            return u32::try_from(place).ok();
        }
        let target = self.target(&text)?;
        let place = match &target {
            Target::Path(path) => join(&self.around.folder, path),
            Target::Name(name) => format!("{LIBRARY}{name}.yaml"),
        };
        let known = self.around.known.borrow().get(&place).cloned();
        let graph = if let Some(graph) = known {
            graph?
        } else {
            let graph = self.compiled(&text, &target, &place);
            self.around.known.borrow_mut().insert(place, graph.clone());
            graph?
        };
        if !self.has_room(&text, &graph) {
            return None;
        }
        let called = Called { target: text.value, hash: graph.hash(), graph };
        self.book.called.push(called);
        u32::try_from(self.book.called.len() - 1).ok()
    }

    fn target(&mut self, text: &Spanned<String>) -> Option<Target> {
        if is_runbook_name(&text.value) {
            return Some(Target::Name(text.value.clone()));
        }
        // What has dots or begins with a slash is meant as a path.
        if !text.value.contains('.') && !text.value.starts_with('/') {
            let message = format!("`{}` is neither the name nor the path of a runbook", shorten(&text.value));
            let diagnostic = self
                .at(Code::CALL_UNKNOWN, text.span, message)
                .help("a name is such as `storage/disk-cleanup`, a path such as `./disk-cleanup.yaml`");
            self.report(diagnostic);
            return None;
        }
        self.relative(text, "a runbook").map(Target::Path)
    }

    /// Reads and compiles it.
    fn compiled(&mut self, text: &Spanned<String>, target: &Target, place: &str) -> Option<Arc<Graph>> {
        let own = self.book.name.as_ref().map(|name| name.value.clone()).unwrap_or_default();
        let outermost = self.around.names.first().unwrap_or(&own).clone();
        let read = match target {
            Target::Path(path) => self.files.read(path),
            Target::Name(name) => self.files.library(&format!("{name}.yaml"), &outermost),
        };
        let outermost_file =
            if self.around.names.is_empty() { self.source().name().to_owned() } else { self.around.file.clone() };
        let file = shown(&outermost_file, &outermost, place);
        let source = match read.map(|content| yaml::decode(&file, &content.bytes)) {
            Ok(Ok(source)) => source,
            Ok(Err(problems)) => {
                for problem in problems {
                    self.report(problem);
                }
                return None;
            }
            Err(error) => {
                self.unreadable(text, &file, &error);
                return None;
            }
        };
        let name = name_of(&source);
        if let (Target::Name(wanted), Some(found)) = (target, &name)
            && wanted != found
        {
            let message = format!("`{file}` holds the runbook `{}`, not `{wanted}`", shorten(found));
            let diagnostic = self
                .at(Code::CALL_OTHER, text.span, message)
                .help("a runbook stands in the file of its name: change either, or call it by its path");
            self.report(diagnostic);
            return None;
        }
        let mut names = self.around.names.clone();
        names.push(own);
        if let Some(name) = name.filter(|name| names.contains(name)) {
            self.cycle(text, &names, &name);
            return None;
        }
        if names.len() > limits::CALL_DEPTH {
            self.too_deep(text);
            return None;
        }
        let folder =
            place.rsplit_once('/').map_or(if place.starts_with(LIBRARY) { LIBRARY } else { "" }, |(folder, _)| folder);
        let prefix = folder.strip_prefix(&self.around.folder).unwrap_or(folder).trim_start_matches('/');
        let reached = match target {
            Target::Path(_) => Reached { files: self.files, prefix, library: None, outermost: &outermost },
            Target::Name(_) => {
                let prefix = folder.trim_start_matches(LIBRARY);
                Reached { files: self.files, prefix, library: Some(&outermost), outermost: &outermost }
            }
        };
        let around =
            Around { names, file: outermost_file, folder: folder.to_owned(), known: Rc::clone(&self.around.known) };
        match compile_around(&source, &reached, self.sandbox, around) {
            Ok(Compiled { graph, .. }) => Some(Arc::new(graph)),
            Err(problems) => {
                for problem in problems.into_iter().filter(|problem| problem.severity() == Severity::Error) {
                    self.report(problem);
                }
                None
            }
        }
    }

    fn unreadable(&mut self, text: &Spanned<String>, file: &str, error: &FileError) {
        let message = format!("the runbook `{}` cannot be read", shorten(&text.value));
        let help = if is_runbook_name(&text.value) {
            "a name says where in its library a runbook stands; for one in the same folder write `./NAME.yaml`"
        } else {
            "paths begin at the folder of the runbook that calls"
        };
        let diagnostic = self.at(Code::CALL_UNKNOWN, text.span, message).label(format!("`{file}`: {error}")).help(help);
        self.report(diagnostic);
    }

    fn cycle(&mut self, text: &Spanned<String>, names: &[String], name: &str) {
        let chain: Vec<String> = names
            .iter()
            .map(String::as_str)
            .skip_while(|other| *other != name)
            .chain([name])
            .map(|name| format!("`{name}`"))
            .collect();
        let message = format!("`{name}` would call itself: {}", chain.join(" calls "));
        let diagnostic = self
            .at(Code::CALL_CYCLE, text.span, message)
            .help("what is done again and again is a `repeat` or a `foreach` around the call");
        self.report(diagnostic);
    }

    fn too_deep(&mut self, text: &Spanned<String>) {
        let message = format!("more than {} runbooks would call each other", limits::CALL_DEPTH);
        let names: Vec<String> = self.around.names.iter().map(|name| format!("`{name}`")).collect();
        let diagnostic = self
            .at(Code::CALL_TOO_DEEP, text.span, message)
            .help(format!("this one is called by {}", names.join(", which calls ")));
        self.report(diagnostic);
    }

    /// Whether the runbook, with all that it calls itself, may be called here.
    fn has_room(&mut self, text: &Spanned<String>, graph: &Graph) -> bool {
        let (count, depth) = graph.calls();
        if self.around.names.len() + 1 + depth > limits::CALL_DEPTH {
            self.too_deep(text);
            return false;
        }
        let so_far: usize = self.book.called.iter().map(|called| 1 + called.graph.calls().0).sum();
        if so_far + 1 + count > limits::CALLED_RUNBOOKS {
            let message = format!("more than {} runbooks would travel with this one", limits::CALLED_RUNBOOKS);
            let diagnostic = self
                .at(Code::CALL_TOO_DEEP, text.span, message)
                .help("each is counted as often as it is called from another runbook: call it in one place");
            self.report(diagnostic);
            return false;
        }
        true
    }
}

/// The name that a runbook gives itself.
fn name_of(source: &Source) -> Option<String> {
    let (tree, _) = yaml::parse_leniently(source).ok()?;
    match tree.get("runbook") {
        Some(Node::Scalar(name)) => Some(name.text.clone()),
        _ => None,
    }
}

fn join(folder: &str, path: &str) -> String {
    if folder.is_empty() || folder.ends_with(':') { format!("{folder}{path}") } else { format!("{folder}/{path}") }
}

/// A place as a path like that of the outermost runbook's file.
fn shown(file: &str, name: &str, place: &str) -> String {
    let mut folders: Vec<&str> = file.split('/').collect();
    folders.pop();
    let path = match place.strip_prefix(LIBRARY) {
        None => place,
        Some(path) => {
            let mut own: Vec<&str> = name.split('/').collect();
            own.pop();
            if folders.ends_with(&own) {
                folders.truncate(folders.len() - own.len());
            }
            path
        }
    };
    folders.push(path);
    folders.join("/")
}

/// The files beside a runbook that is called, reached through those of the one that calls it.
struct Reached<'a> {
    files: &'a dyn Files,
    /// Its folder.
    prefix: &'a str,
    /// Where its folder is one of the library: the name of a runbook there.
    library: Option<&'a str>,
    /// The name of the outermost runbook.
    outermost: &'a str,
}

impl Files for Reached<'_> {
    fn read(&self, relative: &str) -> Result<FileContent, FileError> {
        let path = join(self.prefix, relative);
        match self.library {
            None => self.files.read(&path),
            Some(runbook) => self.files.library(&path, runbook),
        }
    }

    fn library(&self, relative: &str, _: &str) -> Result<FileContent, FileError> {
        self.files.library(relative, self.outermost)
    }
}
