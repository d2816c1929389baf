//! Rule: a secret goes only where nobody reads along: `env`, `stdin`, `headers`, `auth` and bodies. Everywhere else it
//! would end in the journal, in a log or in a list of processes; only whether it was given may be asked.

use std::collections::BTreeSet;

use crate::compile::report::Report;
use crate::diagnostic::Code;
use crate::expr::Access;
use crate::graph::{ExprId, Field, Http, Kind, ParamType};
use crate::runbook::{Expression, Owner, Place};
use crate::value::Value;

use super::Case;

/// A secret that an expression reads.
struct Secret {
    /// `token`.
    name: String,
    /// `params.token`.
    written: String,
}

/// Checks every expression that reads a secret.
pub fn check(case: &Case, report: &mut Report) {
    let params = case.book.params.iter().map(|param| &param.value);
    let secrets: BTreeSet<&str> =
        params.filter(|param| param.kind == ParamType::Secret).map(|param| param.name.as_str()).collect();
    for (expr, id) in case.book.exprs.iter().zip((0u32..).map(ExprId)) {
        let Some(analysis) = &expr.analysis else { continue };
        for access in analysis.accesses.iter().filter(|access| !access.only_compared_to_unit) {
            let secret = given(&secrets, access).or_else(|| learned(case, (expr, id), access));
            let Some(secret) = secret.or_else(|| of_result(case, expr, access)) else { continue };
            if !expr.place.takes_secrets() {
                flow(expr, access, &secret, report);
            } else if let Some(http) = http_of(case, expr)
                && is_open(http)
            {
                over_http(case, id, &secret.name, report);
            }
        }
    }
}

/// The parameter that an access reads, where that is a secret.
fn given(secrets: &BTreeSet<&str>, access: &Access) -> Option<Secret> {
    if access.root != "params" {
        return None;
    }
    let name = match access.path.first() {
        Some(segment) => secrets.get(segment.name.as_str()).copied(),
        // All parameters at once hold every secret among them.
        None => secrets.first().copied(),
    };
    name.map(|name| Secret { name: name.to_owned(), written: format!("params.{name}") })
}

/// The secret output of a step that an access reads, or that stands in what it reads.
fn learned(case: &Case, (expr, id): (&Expression, ExprId), access: &Access) -> Option<Secret> {
    let span = expr.locate(access.span.start, access.span.end);
    case.reads(id).steps.iter().filter(|read| read.span == span).find_map(|read| {
        let mut secrets = case.book.step(read.step).secret_outputs.iter().map(|secret| secret.value.as_str());
        let name = secrets.find(|secret| read.field.as_deref().is_none_or(|field| field == *secret))?;
        Some(Secret { name: name.to_owned(), written: format!("steps.{}.{name}", read.name) })
    })
}

/// The secret output of the step itself that an access reads as `output.token`. What its own `outputs` name is taken where
/// the attempt ran.
fn of_result(case: &Case, expr: &Expression, access: &Access) -> Option<Secret> {
    let Owner::Step(step) = expr.owner else { return None };
    if access.root != "output" || !expr.place.sees_result() || expr.place == Place::Outputs {
        return None;
    }
    let mut secrets = case.book.step(step).secret_outputs.iter().map(|secret| secret.value.as_str());
    let name = secrets.find(|secret| access.path.first().is_none_or(|segment| segment.name == *secret))?;
    Some(Secret { name: name.to_owned(), written: format!("output.{name}") })
}

fn flow(expr: &Expression, access: &Access, secret: &Secret, report: &mut Report) {
    let Secret { name, written } = secret;
    let span = expr.locate(access.span.start, access.span.end);
    let message = format!("the secret `{name}` cannot go into {}", expr.place.name());
    let diagnostic = report.at(Code::SECRET_FLOW, span, message);
    report.push(match expr.place {
        Place::Argument => diagnostic.label("everyone on the machine can see arguments").help(format!(
            "pass it through the environment: `env: {{ {}: '${{{{ {written} }}}}' }}`",
            name.to_uppercase()
        )),
        Place::Url | Place::Query => {
            diagnostic.label("addresses are written to logs on the way").help("send it in `headers` or `auth`")
        }
        Place::CallParam => diagnostic
            .label("the runbook that is called does not keep it secret")
            .help("declare the parameter there as a secret: `type: secret`"),
        Place::When | Place::Until | Place::That | Place::RetryWhen | Place::CatchWhen => {
            diagnostic.help(format!("only whether it was given may be asked: `{written} != ()`"))
        }
        _ => diagnostic
            .label("this is written to the journal")
            .help("secrets go only into `env`, `stdin`, `headers`, `auth`, `body`, `json` and `form`"),
    });
}

/// The request that an expression belongs to.
fn http_of<'a>(case: &Case<'a>, expr: &Expression) -> Option<&'a Http> {
    let Owner::Step(step) = expr.owner else { return None };
    match &case.book.step(step).kind {
        Some(Kind::Http(http)) if matches!(expr.place, Place::Headers | Place::Auth | Place::Body) => Some(http),
        _ => None,
    }
}

/// Whether everybody between here and there can read the request.
fn is_open(http: &Http) -> bool {
    let Field::Const(Value::String(url)) = &http.url else { return false };
    let Some(rest) = url.strip_prefix("http://") else { return false };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    !["localhost", "127.", "[::1]"].iter().any(|own| host.starts_with(own))
}

fn over_http(case: &Case, id: ExprId, secret: &str, report: &mut Report) {
    let message = format!("the secret `{secret}` is sent without encryption");
    let diagnostic = report
        .at(Code::SECRET_OVER_HTTP, case.book.expr(id).span(), message)
        .help("write `https://`, unless nobody can listen between here and there");
    report.push(diagnostic);
}
