//! `imports` and `files`: what stands beside the runbook and travels with every run.

use crate::diagnostic::{Code, suggest};
use crate::expr::Problem;
use crate::graph::{Module, PinnedFile};
use crate::limits;
use crate::runbook::Import;
use crate::source::{Source, Spanned};
use crate::yaml::Node;

use super::files::{FileContent, FileError};
use super::keys::quoted;
use super::reader::Reader;

impl Reader<'_> {
    /// `imports`: Rhai modules.
    pub(super) fn imports(&mut self, node: &Node) {
        let Some(list) = self.sequence(node, "`imports`", "a list of modules, such as `[./helpers.rhai]`") else {
            return;
        };
        for item in &list.items {
            if let Some(path) = self.constant(item, "an import") {
                self.import(&path);
            }
        }
    }

    fn import(&mut self, path: &Spanned<String>) {
        if path.value.starts_with("std/") {
            return self.std_import(path);
        }
        let Some(file) = self.relative(path, "an import") else { return };
        let Some(name) = module_name(&file) else {
            let diagnostic = self
                .at(Code::IMPORT_NAME, path.span, "an import must be a file with a name that expressions can write")
                .help("such as `./disk_tools.rhai`: lower case letters, digits and `_`, then `.rhai`");
            return self.report(diagnostic);
        };
        if self.is_imported(path, name) {
            return;
        }
        let Some(content) = self.content(path, &file) else { return };
        let Ok(text) = String::from_utf8(content.bytes) else {
            let diagnostic = self.at(Code::IMPORT_NOT_TEXT, path.span, format!("`{}` is not UTF-8 text", path.value));
            return self.report(diagnostic);
        };
        let functions = self.functions_of(path, &file, &text);
        let module = Module { name: name.to_owned(), import: path.value.clone(), text: Some(text) };
        self.book.imports.push(Import { module, span: path.span, functions });
    }

    /// A module that ships with the program: its name is all that travels with the run.
    fn std_import(&mut self, path: &Spanned<String>) {
        let Some(info) = self.sandbox.std_module(&path.value) else {
            let known: Vec<&str> = self.sandbox.std_imports().collect();
            let message = format!("there is no module `{}`", super::keys::shorten(&path.value));
            let diagnostic = self.at(Code::UNKNOWN_MODULE, path.span, message);
            let diagnostic = match suggest(&path.value, known.iter().copied()) {
                Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
                None => diagnostic.help(format!("those that ship with the program are {}", quoted(&known))),
            };
            return self.report(diagnostic);
        };
        let functions = Some(info.functions.clone());
        let name = path.value.rsplit('/').next().unwrap_or_default().to_owned();
        if !self.is_imported(path, &name) {
            let module = Module { name, import: path.value.clone(), text: None };
            self.book.imports.push(Import { module, span: path.span, functions });
        }
    }

    /// Whether an import of this name stands there already; reported where it does.
    fn is_imported(&mut self, path: &Spanned<String>, name: &str) -> bool {
        let Some(other) = self.book.imports.iter().find(|import| import.module.name == name) else { return false };
        let diagnostic = self
            .at(Code::IMPORT_TWICE, path.span, format!("a second import is called `{name}`"))
            .also(other.span, "the first")
            .help("the last part of the path is the name in expressions: rename one of the files");
        self.report(diagnostic);
        true
    }

    /// The functions of a module; `None` where it cannot be read, which is reported in its own text.
    fn functions_of(&mut self, path: &Spanned<String>, file: &str, text: &str) -> Option<Vec<(String, usize)>> {
        match self.sandbox.module(text) {
            Ok(module) => {
                self.report_module(path, file, text, &module.problems);
                Some(module.functions)
            }
            Err(problem) => {
                self.report_module(path, file, text, &[problem]);
                None
            }
        }
    }

    /// Reports what is wrong with a module, in its own text.
    fn report_module(&mut self, path: &Spanned<String>, file: &str, text: &str, problems: &[Problem]) {
        let source = Source::new(file, text);
        for problem in problems {
            let diagnostic = problem.diagnostic(&source, problem.span);
            self.report(diagnostic.help(format!("it is imported as `{}`", path.value)));
        }
    }

    /// `files`: what commands find in `$LOCKSTEP_FILES`.
    pub(super) fn pinned_files(&mut self, node: &Node) {
        let Some(list) = self.sequence(node, "`files`", "a list of files, such as `[./fix.py]`") else { return };
        for item in &list.items {
            let Some(path) = self.constant(item, "an element of `files`") else { continue };
            if self.book.files.iter().any(|file| path.value.strip_prefix("./") == Some(&file.name)) {
                let diagnostic = self.at(Code::FILE_TWICE, path.span, format!("`{}` stands here twice", path.value));
                self.report(diagnostic);
                continue;
            }
            self.pin(&path);
        }
    }

    /// Lets a file travel with the run, once, and gives its name in `$LOCKSTEP_FILES`.
    pub fn pin(&mut self, path: &Spanned<String>) -> Option<String> {
        let name = self.relative(path, "a file")?;
        if self.book.files.iter().any(|file| file.name == name) {
            return Some(name);
        }
        let content = self.content(path, &name)?;
        self.book.files.push(PinnedFile {
            name: name.clone(),
            hash: blake3::hash(&content.bytes).to_hex().to_string(),
            executable: content.executable,
            content: content.bytes,
        });
        Some(name)
    }

    /// Rule: a path begins with `./` and stays in the runbook's folder, so that the folder is all that a run needs.
    pub(super) fn relative(&mut self, path: &Spanned<String>, what: &str) -> Option<String> {
        let outside = |path: &str| path.split('/').any(|part| part == "..");
        if path.value.starts_with('/') || outside(&path.value) {
            let diagnostic = self
                .at(Code::PATH_OUTSIDE, path.span, format!("{what} must stay in the runbook's folder"))
                .help("copy the file beside the runbook, or read it in a command");
            self.report(diagnostic);
            return None;
        }
        let is_plain = |rest: &&str| {
            !rest.is_empty()
                && rest.split('/').all(|part| !part.is_empty() && part != ".")
                && !rest.contains(['\\', '\0'])
        };
        let Some(relative) = path.value.strip_prefix("./").filter(is_plain) else {
            let parts = path.value.split(['/', '\\']).filter(|part| !matches!(*part, "" | "."));
            let shown = super::keys::shorten(&parts.collect::<Vec<_>>().join("/"));
            let diagnostic = self
                .at(Code::PATH_FORM, path.span, format!("{what} must be a path that begins with `./`"))
                .help(format!("write `./{shown}` for a file beside the runbook"));
            self.report(diagnostic);
            return None;
        };
        Some(relative.to_owned())
    }

    fn content(&mut self, path: &Spanned<String>, relative: &str) -> Option<FileContent> {
        let error = match self.files.read(relative) {
            Ok(content) if content.bytes.len() as u64 <= limits::FILE_BYTES => {
                self.pinned_bytes += content.bytes.len() as u64;
                if self.pinned_bytes <= limits::FILES_BYTES {
                    return Some(content);
                }
                FileError::TooMuch { limit: limits::FILES_BYTES }
            }
            Ok(_) => FileError::TooLarge { limit: limits::FILE_BYTES },
            Err(error) => error,
        };
        let code = if error == FileError::NotFound { Code::FILE_MISSING } else { Code::FILE_UNREADABLE };
        let diagnostic = self
            .at(code, path.span, format!("`{}` cannot be read", path.value))
            .label(error.to_string())
            .help("paths begin at the folder of the runbook");
        self.report(diagnostic);
        None
    }
}

/// The name of a module in expressions: the last part of its path.
fn module_name(file: &str) -> Option<&str> {
    let name = file.rsplit('/').next()?.strip_suffix(".rhai")?;
    super::keys::is_name(name).then_some(name)
}
