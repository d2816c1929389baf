//! `groups`: who is in a group of people that runbooks name, as in `by: [group:sre]`.

use std::collections::BTreeMap;

use lockstep_dsl::scalar;
use lockstep_dsl::yaml::Node;

use super::reader::Reader;

/// The members of every group, by its name.
pub type Groups = BTreeMap<String, Vec<String>>;

/// Reads it; what is wrong is left out.
pub fn read(reader: &mut Reader<'_>, node: &Node) -> Groups {
    let Some(mapping) = reader.expect_map("groups", node) else { return Groups::new() };
    let mut groups = Groups::new();
    for (name, members) in &mapping.entries {
        let key = format!("groups.{}", name.text);
        if let Err(why) = scalar::person(&format!("group:{}", name.text)) {
            reader.wrong(&key, members, &why);
            continue;
        }
        let Node::Sequence(members) = members else {
            reader.wrong(&key, members, "a list of user names is expected, such as `[ana, ben]`");
            continue;
        };
        let is_name = |text: &str| {
            let why = |_| format!("`{text}` is no user name; write it as in `/etc/passwd`, without `user:`");
            scalar::person(&format!("user:{text}")).map(|()| text.to_owned()).map_err(why)
        };
        let members = members.items.iter().filter_map(|member| reader.expect(&key, member, is_name)).collect();
        groups.insert(name.text.clone(), members);
    }
    groups
}
