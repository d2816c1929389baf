//! The sandbox: reads expressions, scripts and modules, and knows what they may use.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use super::analysis::{Analysis, ModuleInfo};
use super::ir::{Natives, Unit};
use super::library;
use super::lower::{Role, lower};
use super::module::StdModule;
use super::parse::{parse, parser};
use super::problem::Problem;
use crate::diagnostic::Code;

/// Reads expressions, scripts and modules. Built once and shared: it never changes.
pub struct Sandbox {
    parser: rhai::Engine,
    /// Modules that ship with the program, by import.
    shipped: BTreeMap<&'static str, Shipped>,
}

/// A module that ships with the program, compiled when it is first asked for.
struct Shipped {
    module: &'static StdModule,
    compiled: OnceLock<(Arc<Unit>, ModuleInfo)>,
}

impl Sandbox {
    /// A sandbox with the modules that ship with the program.
    pub fn new(modules: &'static [StdModule]) -> Self {
        let shipped = modules.iter().map(|module| (module.import, Shipped { module, compiled: OnceLock::new() }));
        Self { parser: parser(), shipped: shipped.collect() }
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
        self.compile_module(text, Natives::new()).map(|(_, info)| info)
    }

    /// What a module that ships with the program offers.
    ///
    /// # Panics
    /// When the module is not valid, which the tests of the program rule out.
    pub fn std_module(&self, import: &str) -> Option<&ModuleInfo> {
        self.shipped(import).map(|(_, info)| info)
    }

    /// The imports that ship with the program, sorted.
    pub fn std_imports(&self) -> impl Iterator<Item = &'static str> {
        self.shipped.keys().copied()
    }

    fn shipped(&self, import: &str) -> Option<&(Arc<Unit>, ModuleInfo)> {
        let Shipped { module, compiled } = self.shipped.get(import)?;
        Some(compiled.get_or_init(|| {
            let natives = module.natives.iter().map(|native| ((native.name(), native.parameters()), native)).collect();
            match self.compile_module(module.text, natives) {
                Ok((unit, info)) if info.problems.is_empty() => (Arc::new(unit), info),
                Ok((_, ModuleInfo { problems, .. })) => panic!("`{import}` is not valid: {problems:?}"),
                Err(problem) => panic!("`{import}` is not valid: {problem:?}"),
            }
        }))
    }

    /// How every function may be called that expressions have without an import, sorted by name.
    pub fn functions(&self) -> impl Iterator<Item = &'static str> + use<> {
        library::signatures()
    }

    pub(super) fn std_unit(&self, import: &str) -> Option<Arc<Unit>> {
        self.shipped(import).map(|(unit, _)| Arc::clone(unit))
    }

    pub(super) fn compile(&self, text: &str, statements: bool) -> Result<(Unit, Analysis), Problem> {
        let ast = parse(&self.parser, text)?;
        let role = if statements { Role::Script } else { Role::Expression };
        Ok(lower(&ast, text, role, Natives::new()))
    }

    /// A module of this text, with functions in Rust where it ships with the program.
    pub(super) fn compile_module(&self, text: &str, natives: Natives) -> Result<(Unit, ModuleInfo), Problem> {
        let ast = parse(&self.parser, text)?;
        let (unit, mut analysis) = lower(&ast, text, Role::Module, natives);
        for call in &analysis.calls {
            if let Some(module) = &call.module {
                let message = format!("a module cannot call another one, as here `{module}`");
                analysis.problems.push(Problem::new(Code::UNKNOWN_FUNCTION, call.span, message));
            }
        }
        let public = unit.named.iter().filter(|(_, named)| named.public);
        let natives = unit.natives.keys().map(|(name, params)| ((*name).to_owned(), *params));
        let mut functions: Vec<_> = public.map(|(key, _)| key.clone()).chain(natives).collect();
        functions.sort();
        Ok((unit, ModuleInfo { functions, problems: analysis.problems }))
    }
}

impl fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sandbox").field("shipped", &self.shipped.keys()).finish_non_exhaustive()
    }
}
