//! The core and the driver together, on the store in memory: no runtime, no sleep, every outcome scripted.

mod base;
mod call;
mod case;
mod checkpoint;
mod cost;
mod crash;
mod edits;
mod expressions;
mod faults;
mod fixture;
mod folder;
mod interrupted;
mod kinds;
mod locks;
mod look;
mod play;
mod property;
mod quarantine;
mod removal;
mod rest;
mod schedules;
mod sequence;
mod timing;
