//! What a loss of power leaves of a disk.

use super::tree::{Content, Kind, Names, Tree, Write, apply};

/// What reaches a disk whole or not at all.
const SECTOR: usize = 512;

/// What was lost.
#[derive(Clone, Copy, Debug, Default)]
pub struct Losses {
    /// Writes of which nothing reached the disk.
    pub dropped: u64,
    /// Writes of which some sectors did.
    pub torn: u64,
    /// Writes that reached it though an earlier one did not.
    pub reordered: u64,
    /// Names that were made, changed or removed, and were not after all.
    pub names: u64,
}

/// What becomes of what was not synced in one file or folder.
#[derive(Clone, Copy)]
enum Fate {
    Lost,
    Kept,
    /// All up to some point.
    Cut,
    /// Whatever happened to be written.
    Mixed,
}

impl Tree {
    /// Loses what was not synced. `below` is the source of chance: a number below the one that it is given.
    pub fn lose(&mut self, below: &mut dyn FnMut(u64) -> u64) -> Losses {
        let mut losses = Losses::default();
        for node in self.nodes_mut() {
            match &mut node.kind {
                Kind::File(content) => lose_bytes(content, below, &mut losses),
                Kind::Folder(names) => lose_names(names, below, &mut losses),
                Kind::Link(_) | Kind::Special { .. } => {}
            }
        }
        losses
    }
}

fn fate(below: &mut dyn FnMut(u64) -> u64) -> Fate {
    match below(4) {
        0 => Fate::Lost,
        1 => Fate::Kept,
        2 => Fate::Cut,
        _ => Fate::Mixed,
    }
}

/// For each of `count` changes, whether it reaches the disk.
fn survivors(count: usize, below: &mut dyn FnMut(u64) -> u64) -> Vec<bool> {
    match fate(below) {
        Fate::Lost => vec![false; count],
        Fate::Kept => vec![true; count],
        Fate::Cut => {
            let cut = below(count as u64 + 1);
            (0..count as u64).map(|place| place < cut).collect()
        }
        Fate::Mixed => (0..count).map(|_| below(2) == 0).collect(),
    }
}

fn lose_bytes(content: &mut Content, below: &mut dyn FnMut(u64) -> u64, losses: &mut Losses) {
    let pending = std::mem::take(&mut content.pending);
    let survivors = survivors(pending.len(), below);
    let mut lost_before = false;
    for (write, survives) in pending.iter().zip(survivors) {
        if survives {
            losses.reordered += u64::from(lost_before);
            write.apply(&mut content.durable);
        } else if below(3) == 0 {
            losses.torn += 1;
            tear(write, &mut content.durable, below);
        } else {
            losses.dropped += 1;
        }
        lost_before |= !survives;
    }
    content.now.clone_from(&content.durable);
}

/// Lets some sectors of a write reach the disk.
fn tear(write: &Write, durable: &mut Vec<u8>, below: &mut dyn FnMut(u64) -> u64) {
    let Write::Bytes { offset, bytes } = write else { return };
    let mut done = 0;
    while done < bytes.len() {
        let end = bytes.len().min(done + SECTOR - (offset + done) % SECTOR);
        if below(2) == 0 {
            Write::Bytes { offset: offset + done, bytes: bytes[done..end].to_vec() }.apply(durable);
        }
        done = end;
    }
}

fn lose_names(names: &mut Names, below: &mut dyn FnMut(u64) -> u64, losses: &mut Losses) {
    let pending = std::mem::take(&mut names.pending);
    for (namings, survives) in pending.iter().zip(survivors(pending.len(), below)) {
        if survives {
            apply(namings, &mut names.durable);
        } else {
            losses.names += 1;
        }
    }
    names.now.clone_from(&names.durable);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_synced_stays_and_the_rest_comes_to_any_end() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..200_u64 {
            let mut number = seed;
            let mut below = move |below: u64| {
                number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (number >> 33) % below
            };
            let mut content = Content::default();
            content.change(Write::Bytes { offset: 0, bytes: vec![1; 600] });
            content.sync();
            content.change(Write::Bytes { offset: 600, bytes: vec![2; 1000] });
            content.change(Write::Bytes { offset: 1600, bytes: vec![3; 10] });
            lose_bytes(&mut content, &mut below, &mut Losses::default());
            assert_eq!(content.now[..600], [1; 600]);
            seen.insert(content.now);
        }
        let whole = |seen: &Vec<u8>| seen.len() == 1610 && seen[600..1600] == [2; 1000];
        assert!(seen.iter().any(whole) && seen.contains(&vec![1; 600]), "all kept, and all lost");
        assert!(seen.iter().any(|seen| seen.len() == 1610 && seen[600..1600] == [0; 1000]), "reordered");
        assert!(seen.len() > 5, "and torn");
    }
}
