//! `std/list`: what lists are asked beyond what every list can do by itself.

use lockstep_dsl::expr::StdModule;

pub const MODULE: StdModule = StdModule {
    import: "std/list",
    about: "What lists are asked beyond what each can do by itself (`map`, `filter`, `sort_by`, `group_by`, `chunk`, \
            `unique`, `zip`, `flatten`, `sum` and more need no import).",
    text: include_str!("../rhai/list.rhai"),
    natives: &[],
};
