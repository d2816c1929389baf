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

/// Checks every expression that reads a secret.
pub fn check(case: &Case, report: &mut Report) {
    let params = case.book.params.iter().map(|param| &param.value);
    let secrets: BTreeSet<&str> =
        params.filter(|param| param.kind == ParamType::Secret).map(|param| param.name.as_str()).collect();
    for (expr, id) in case.book.exprs.iter().zip((0u32..).map(ExprId)) {
        let Some(analysis) = &expr.analysis else { continue };
        for access in &analysis.accesses {
            let Some(secret) = secret(&secrets, access) else { continue };
            if !expr.place.takes_secrets() {
                flow(expr, access, secret, report);
            } else if let Some(http) = http_of(case, expr)
                && is_open(http)
            {
                over_http(case, id, secret, report);
            }
        }
    }
}

/// The secret that an access reads, if it does more than ask whether there is one.
fn secret<'a>(secrets: &BTreeSet<&'a str>, access: &Access) -> Option<&'a str> {
    if access.root != "params" || access.only_compared_to_unit {
        return None;
    }
    match access.path.first() {
        Some(segment) => secrets.get(segment.name.as_str()).copied(),
        // All parameters at once hold every secret among them.
        None => secrets.first().copied(),
    }
}

fn flow(expr: &Expression, access: &Access, secret: &str, report: &mut Report) {
    let span = expr.locate(access.span.start, access.span.end);
    let message = format!("the secret `{secret}` cannot go into {}", expr.place.name());
    let diagnostic = report.at(Code::SECRET_FLOW, span, message);
    report.push(match expr.place {
        Place::Argument => diagnostic.label("everyone on the machine can see arguments").help(format!(
            "pass it through the environment: `env: {{ {}: '${{{{ params.{secret} }}}}' }}`",
            secret.to_uppercase()
        )),
        Place::Url | Place::Query => {
            diagnostic.label("addresses are written to logs on the way").help("send it in `headers` or `auth`")
        }
        Place::CallParam => diagnostic
            .label("the runbook that is called does not keep it secret")
            .help("declare the parameter there as a secret: `type: secret`"),
        Place::When | Place::Until | Place::That | Place::RetryWhen | Place::CatchWhen => {
            diagnostic.help(format!("only whether it was given may be asked: `params.{secret} != ()`"))
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
