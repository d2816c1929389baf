//! The command line as operators meet it: verbs, exit codes, JSON, signals, several terminals, and things that go wrong.

mod bench;
mod check;
mod doctor;
mod edits;
mod events;
mod faults;
mod help;
mod hosting;
mod interrupts;
mod learned;
mod locks;
mod looking;
mod operating;
mod resuming;
mod run;
mod schedule;
mod serving;
mod storage;
mod terminal;
mod testing;
mod why;
