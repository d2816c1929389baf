//! A graph as indented lines.

use std::fmt::Write as _;

use lockstep_dsl::graph::{BlockId, Field, Graph, Kind, Node, NodeId, OnError, Param};

use super::{block_name, blocks_of, own_blocks};

/// The runbook, its parameters and its steps.
pub fn text(graph: &Graph) -> String {
    let mut out = format!("{}  {}\n", graph.runbook, graph.hash().get(..12).unwrap_or_default());
    if let Some(description) = &graph.description {
        let _ = writeln!(out, "  {}", description.trim_end().replace('\n', "\n  "));
    }
    if !graph.params.is_empty() {
        out.push_str("params\n");
    }
    for param in &graph.params {
        let _ = writeln!(out, "  {}", param_line(param));
    }
    for (name, block) in own_blocks(graph) {
        let _ = writeln!(out, "{name}");
        write_block(graph, block, 1, &mut out);
    }
    if !graph.outputs.is_empty() {
        out.push_str("outputs\n");
    }
    for (name, expr) in &graph.outputs {
        let _ = writeln!(out, "  {name} = {}", one_line(&graph.expr(*expr).source));
    }
    out
}

fn write_block(graph: &Graph, block: BlockId, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    let mut before = None;
    for id in &graph.block(block).steps {
        let node = graph.node(*id);
        let _ = writeln!(out, "{indent}{}", step_line(graph, node, before));
        for inner in blocks_of(node) {
            // The steps of a `do` are the step; of all others it has to be said what they are to it.
            if matches!(node.kind, Kind::Do(own) if own == inner) {
                write_block(graph, inner, depth + 1, out);
            } else {
                let _ = writeln!(out, "{indent}  [{}]", block_name(graph.block(inner)));
                write_block(graph, inner, depth + 2, out);
            }
        }
        before = Some(*id);
    }
}

/// The step, and whatever makes it differ from one that simply follows the step before it.
fn step_line(graph: &Graph, node: &Node, before: Option<NodeId>) -> String {
    let mut line = format!("{}  {}  {}", node.name, node.kind.name(), node.effect.name());
    if let Kind::Call(call) = &node.kind {
        let _ = write!(line, "  calls {}", graph.called_by(call).target);
    }
    if node.needs != before.into_iter().collect::<Vec<_>>() {
        let names: Vec<_> = node.needs.iter().map(|id| graph.node(*id).name.as_str()).collect();
        let _ = write!(line, "  needs [{}]", names.join(", "));
    }
    if let Some(reason) = &node.disabled {
        let _ = write!(line, "  disabled: {}", one_line(reason));
    }
    if let Some(when) = node.when {
        let _ = write!(line, "  when {}", one_line(&graph.expr(when).source));
    }
    if let Some(until) = node.until {
        let _ = write!(line, "  until {} every {}", one_line(&graph.expr(until.until).source), until.every);
    }
    if let Some(attempts) = node.retry.iter().map(|retry| retry.attempts).max() {
        let _ = write!(line, "  retry {attempts}");
    }
    if let Some(timeout) = node.timeout.attempt {
        let _ = write!(line, "  timeout {timeout}");
    }
    match node.on_error {
        OnError::Fail => {}
        OnError::Continue => line.push_str("  on_error continue"),
        OnError::Late => line.push_str("  on_error late"),
    }
    line
}

fn param_line(param: &Param) -> String {
    let mut line = format!("{}  {}", param.name, param.kind.name());
    match &param.default {
        // The default of a list or of text with expressions is in the file.
        Some(Field::Const(value)) => {
            let _ = write!(line, " = {}", one_line(&value.to_json().to_string()));
        }
        Some(_) => line.push_str("  has a default"),
        None if param.optional => line.push_str("  optional"),
        None => line.push_str("  required"),
    }
    if let Some(description) = &param.description {
        let _ = write!(line, "  {}", one_line(description));
    }
    line
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
