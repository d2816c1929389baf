//! Every test of the program as its users meet it, in one binary: a new file costs no further link.

#[cfg(test)]
mod adopt;
#[cfg(test)]
mod backup;
#[cfg(test)]
mod budget;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod cost;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod damage;
#[cfg(test)]
mod diagnostics;
#[cfg(test)]
mod docs;
#[cfg(test)]
mod full;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod house;
#[cfg(test)]
mod language;
#[cfg(test)]
mod load;
#[cfg(test)]
mod proof;
#[cfg(test)]
mod runbooks;
