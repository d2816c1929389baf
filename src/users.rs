//! The users and groups of this machine, by the system's own lists, since the environment can say anything.

use std::fs;

/// The name of a user; their number where the list has none.
pub fn user_name(id: u32) -> String {
    let id = id.to_string();
    let list = fs::read("/etc/passwd").unwrap_or_default();
    let name = String::from_utf8_lossy(&list).lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == id).then(|| name.to_owned())
    });
    name.unwrap_or(id)
}

/// The number of a group.
pub fn group_id(name: &str) -> Option<u32> {
    let list = fs::read("/etc/group").unwrap_or_default();
    String::from_utf8_lossy(&list).lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next()? == name).then(|| fields.nth(1)?.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_lists_are_read() {
        assert_eq!((user_name(0), user_name(4_000_000_000)), ("root".to_owned(), "4000000000".to_owned()));
        assert_eq!((group_id("root"), group_id("no-such-group")), (Some(0), None));
    }
}
