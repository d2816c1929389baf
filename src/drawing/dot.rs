//! A graph for Graphviz.

use std::fmt::Write as _;

use lockstep_dsl::graph::{BlockId, Graph};

use super::{block_name, blocks_of, entries, label, needs, own_blocks};

/// Boxes for blocks, solid arrows for needs, dashed ones into a block.
pub fn dot(graph: &Graph) -> String {
    let mut out = format!("digraph {} {{\n  node [shape=box, style=rounded];\n", quoted(&graph.runbook));
    for (name, block) in own_blocks(graph) {
        cluster(graph, block, name, 1, &mut out);
    }
    for (needed, step) in needs(graph) {
        let _ = writeln!(out, "  n{} -> n{};", needed.0, step.0);
    }
    for (owner, step) in entries(graph) {
        let _ = writeln!(out, "  n{} -> n{} [style=dashed];", owner.0, step.0);
    }
    out.push_str("}\n");
    out
}

fn cluster(graph: &Graph, block: BlockId, name: &str, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    let _ = writeln!(out, "{indent}subgraph cluster_{} {{\n{indent}  label={};", block.0, quoted(name));
    for id in &graph.block(block).steps {
        let node = graph.node(*id);
        let _ = writeln!(out, "{indent}  n{} [label={}];", id.0, quoted(&label(node)));
        for inner in blocks_of(node) {
            let name = format!("{} {}", node.name, block_name(graph.block(inner)));
            cluster(graph, inner, &name, depth + 1, out);
        }
    }
    let _ = writeln!(out, "{indent}}}");
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}
