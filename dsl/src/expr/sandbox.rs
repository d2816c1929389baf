//! The sandbox: reads expressions, scripts and modules, and knows what they may use.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::analysis::{Analysis, ModuleInfo};
use super::ir::Unit;
use super::library;
use super::lower::{Role, lower};
use super::parse::{parse, parser};
use super::problem::Problem;
use crate::diagnostic::Code;

/// Reads expressions, scripts and modules. Built once and shared: it never changes.
pub struct Sandbox {
    parser: rhai::Engine,
    /// Modules that ship with the program, by import.
    std_modules: BTreeMap<String, StdModule>,
}

struct StdModule {
    unit: Arc<Unit>,
    info: ModuleInfo,
}

impl Sandbox {
    /// A sandbox with the modules of the standard library: the import (`std/text`) and the text of each.
    ///
    /// # Panics
    /// When one of these modules is not valid, since they ship with the program.
    pub fn new(std_modules: &[(&str, &str)]) -> Self {
        let mut sandbox = Self { parser: parser(), std_modules: BTreeMap::new() };
        for (import, text) in std_modules {
            let module = match sandbox.compile_module(text) {
                Ok((unit, info)) if info.problems.is_empty() => StdModule { unit: Arc::new(unit), info },
                Ok((_, info)) => {
                    panic!("the module {import} of the standard library is not valid: {:?}", info.problems)
                }
                Err(problem) => panic!("the module {import} of the standard library is not valid: {problem:?}"),
            };
            sandbox.std_modules.insert((*import).to_owned(), module);
        }
        sandbox
    }

    /// What a text uses and what is wrong with it; `statements` for a script, else it must be one expression.
    ///
    /// # Errors
    /// The text cannot be read at all.
    pub fn analyse(&self, text: &str, statements: bool) -> Result<Analysis, Problem> {
        self.compile(text, statements).map(|(_, analysis)| analysis)
    }

    /// What a module offers and what is wrong with it.
    ///
    /// # Errors
    /// The text cannot be read at all.
    pub fn module(&self, text: &str) -> Result<ModuleInfo, Problem> {
        self.compile_module(text).map(|(_, info)| info)
    }

    /// What a module of the standard library offers.
    pub fn std_module(&self, import: &str) -> Option<&ModuleInfo> {
        self.std_modules.get(import).map(|module| &module.info)
    }

    /// The imports of the standard library, sorted.
    pub fn std_imports(&self) -> impl Iterator<Item = &str> {
        self.std_modules.keys().map(String::as_str)
    }

    /// How every function may be called that expressions have without an import, sorted by name.
    pub fn functions(&self) -> impl Iterator<Item = &'static str> + use<> {
        library::signatures()
    }

    pub(super) fn std_unit(&self, import: &str) -> Option<Arc<Unit>> {
        self.std_modules.get(import).map(|module| Arc::clone(&module.unit))
    }

    pub(super) fn compile(&self, text: &str, statements: bool) -> Result<(Unit, Analysis), Problem> {
        let ast = parse(&self.parser, text)?;
        let role = if statements { Role::Script } else { Role::Expression };
        Ok(lower(&ast, text, role))
    }

    pub(super) fn compile_module(&self, text: &str) -> Result<(Unit, ModuleInfo), Problem> {
        let ast = parse(&self.parser, text)?;
        let (unit, mut analysis) = lower(&ast, text, Role::Module);
        for call in &analysis.calls {
            if let Some(module) = &call.module {
                let message = format!("a module cannot call another one, as here `{module}`");
                analysis.problems.push(Problem::new(Code::UNKNOWN_FUNCTION, call.span, message));
            }
        }
        let public = unit.named.iter().filter(|(_, named)| named.public);
        let functions = public.map(|((name, params), _)| (name.clone(), *params)).collect();
        Ok((unit, ModuleInfo { functions, problems: analysis.problems }))
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox").field("std_modules", &self.std_modules.keys()).finish_non_exhaustive()
    }
}
