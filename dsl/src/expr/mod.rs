//! Expressions: a strict, bounded Rhai.
