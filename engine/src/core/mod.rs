//! Decides what happens next. Never touches the disk, the clock or a task: callers pass inputs in and carry effects
//! out.
