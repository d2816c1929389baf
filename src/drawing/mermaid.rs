//! A graph as a Mermaid flowchart.

use std::fmt::Write as _;

use lockstep_dsl::graph::{BlockId, Graph};

use super::{block_name, blocks_of, entries, label, needs, own_blocks};

/// Boxes for blocks, solid arrows for needs, dotted ones into a block.
pub fn mermaid(graph: &Graph) -> String {
    let mut out = String::from("flowchart TD\n");
    for (name, block) in own_blocks(graph) {
        subgraph(graph, block, name, 1, &mut out);
    }
    for (needed, step) in needs(graph) {
        let _ = writeln!(out, "  n{} --> n{}", needed.0, step.0);
    }
    for (owner, step) in entries(graph) {
        let _ = writeln!(out, "  n{} -.-> n{}", owner.0, step.0);
    }
    out
}

fn subgraph(graph: &Graph, block: BlockId, name: &str, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    let _ = writeln!(out, "{indent}subgraph b{}[{}]", block.0, quoted(name));
    for id in &graph.block(block).steps {
        let node = graph.node(*id);
        let _ = writeln!(out, "{indent}  n{}[{}]", id.0, quoted(&label(node)));
        for inner in blocks_of(node) {
            let name = format!("{} {}", node.name, block_name(graph.block(inner)));
            subgraph(graph, inner, &name, depth + 1, out);
        }
    }
    let _ = writeln!(out, "{indent}end");
}

/// Text in quotes, with what Mermaid would read as something else as character references.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for next in text.chars() {
        if next.is_alphanumeric() || " -_.:/,()[]".contains(next) {
            out.push(next);
        } else {
            let _ = write!(out, "#{};", u32::from(next));
        }
    }
    out.push('"');
    out
}
