//! `std/path`: paths as text. Nothing here looks at a disk.

use lockstep_dsl::expr::StdModule;

pub const MODULE: StdModule = StdModule {
    import: "std/path",
    about: "Paths as text, with `/` between their parts. Nothing is looked up: links and what exists do not matter.",
    text: include_str!("../rhai/path.rhai"),
    natives: &[],
};
