//! Rule: a function that is called exists: in the language, or in a module that is imported.

use crate::compile::keys::{quoted, shorten};
use crate::compile::report::Report;
use crate::diagnostic::{Code, Diagnostic, suggest};
use crate::expr::Call;
use crate::runbook::Expression;

use super::Case;

/// Checks every call, and warns of imports that nothing calls.
pub fn check(case: &Case, report: &mut Report) {
    let mut called: Vec<&str> = Vec::new();
    for expr in &case.book.exprs {
        let Some(analysis) = &expr.analysis else { continue };
        for call in &analysis.calls {
            let found = match &call.module {
                Some(module) => {
                    called.push(module);
                    in_module(case, expr, call, module, report)
                }
                None => bare(expr, call, report),
            };
            if let Some(diagnostic) = found {
                report.push(diagnostic);
            }
        }
    }
    // What could not be read may be what calls it.
    let all_read = !report.has_errors();
    for import in case.book.imports.iter().filter(|_| all_read) {
        if !called.contains(&import.module.name.as_str()) {
            let message = format!("nothing calls a function of `{}`", import.module.name);
            report.push(report.at(Code::UNUSED_IMPORT, import.span, message).help("leave the import out"));
        }
    }
}

fn in_module(case: &Case, expr: &Expression, call: &Call, module: &str, report: &Report) -> Option<Diagnostic> {
    let span = expr.locate(call.span.start, call.span.end);
    let Some(import) = case.book.imports.iter().find(|import| import.module.name == module) else {
        let message = format!("no module `{}` is imported", shorten(module));
        let diagnostic = report.at(Code::UNKNOWN_MODULE, span, message);
        let imported = case.book.imports.iter().map(|import| import.module.name.as_str());
        let shipped = || case.sandbox.std_imports().filter_map(|import| import.strip_prefix("std/"));
        let near = suggest(module, imported.clone().chain(shipped()));
        return Some(match near {
            Some(near) if imported.clone().any(|name| name == near) => {
                diagnostic.help(format!("did you mean `{near}`?"))
            }
            Some(near) if near == module => diagnostic.help(format!("import it: `imports: [std/{near}]`")),
            Some(near) => diagnostic.help(format!("did you mean `{near}`? Import it: `imports: [std/{near}]`")),
            None => diagnostic.help(format!("import it: `imports: [./{}.rhai]`", shorten(module))),
        });
    };
    let functions = import.functions.as_ref()?;
    let counts: Vec<usize> =
        functions.iter().filter(|(name, _)| *name == call.name).map(|(_, parameters)| *parameters).collect();
    if counts.contains(&call.args) {
        return None;
    }
    let (module, name) = (&import.module, shorten(&call.name));
    if let [some @ .., last] = counts.as_slice() {
        let plural = if *last == 1 { "" } else { "s" };
        let or = some.iter().fold(String::new(), |text, count| format!("{text}{count} or "));
        let message = format!("`{}::{name}` takes {or}{last} argument{plural}, not {}", module.name, call.args);
        return Some(report.at(Code::MODULE_FUNCTION, span, message));
    }
    let message = format!("module `{}` has no function `{name}`", module.name);
    let diagnostic = report.at(Code::MODULE_FUNCTION, span, message);
    Some(match suggest(&call.name, functions.iter().map(|(name, _)| name.as_str())) {
        Some(near) => diagnostic.help(format!("did you mean `{}::{near}`?", module.name)),
        None if module.text.is_none() => {
            let mut names: Vec<&str> = functions.iter().map(|(name, _)| name.as_str()).collect();
            names.dedup();
            diagnostic.help(format!("its functions are {}", quoted(&names)))
        }
        None => diagnostic.help(format!("define it in `{}`: `fn {name}(…) {{ … }}`", module.import)),
    })
}

fn bare(expr: &Expression, call: &Call, report: &Report) -> Option<Diagnostic> {
    if call.name != "config" || call.method {
        return None;
    }
    let span = expr.locate(call.span.start, call.span.end);
    Some(
        report
            .at(Code::NOT_SUPPORTED_YET, span, "`config()` is not supported yet")
            .help("declare what the runbook needs as `params` with a `default`"),
    )
}
