//! A list whose elements keep their numbers when others are taken out.
//!
//! Numbers are given out in order and never again. While nothing was taken out a number is a place; afterwards it is
//! searched for, among the few that are left.

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Index, IndexMut};

use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Elements by number.
#[derive(Clone, Debug)]
pub struct Slab<T> {
    /// The number of the next element.
    next: u32,
    /// What is there, by number.
    live: Vec<(u32, T)>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { next: 0, live: Vec::new() }
    }
}

impl<T> Slab<T> {
    /// Adds an element and gives its number.
    pub fn push(&mut self, value: T) -> u32 {
        let number = self.next;
        self.live.push((number, value));
        self.next = self.next.checked_add(1).expect("a run has fewer than 2^32 steps and activations");
        number
    }

    /// The element with this number, unless it was taken out.
    pub fn get(&self, number: u32) -> Option<&T> {
        self.place(number).map(|place| &self.live[place].1)
    }

    /// The number of the next element.
    pub const fn next(&self) -> u32 {
        self.next
    }

    /// How many elements are there.
    pub fn len(&self) -> usize {
        self.live.len()
    }

    /// Whether no element is there.
    pub fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    /// What is there, in order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.live.iter().map(|(_, value)| value)
    }

    /// What is there with its numbers, in order.
    pub fn numbered(&self) -> impl Iterator<Item = (u32, &T)> {
        self.live.iter().map(|(number, value)| (*number, value))
    }

    /// Takes elements out.
    pub fn remove_where(&mut self, is_gone: impl Fn(u32) -> bool) {
        self.live.retain(|(number, _)| !is_gone(*number));
    }

    fn place(&self, number: u32) -> Option<usize> {
        let index = number as usize;
        if self.live.get(index).is_some_and(|(other, _)| *other == number) {
            return Some(index);
        }
        self.live.binary_search_by_key(&number, |(other, _)| *other).ok()
    }
}

impl<T> Index<u32> for Slab<T> {
    type Output = T;

    fn index(&self, number: u32) -> &T {
        self.get(number).expect("what is referred to is not taken out")
    }
}

impl<T> IndexMut<u32> for Slab<T> {
    fn index_mut(&mut self, number: u32) -> &mut T {
        let place = self.place(number).expect("what is referred to is not taken out");
        &mut self.live[place].1
    }
}

/// As a list while nothing was taken out, as it was before anything could be; else as a map of what is left.
impl<T: Serialize> Serialize for Slab<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.live.len() == self.next as usize {
            return serializer.collect_seq(self.iter());
        }
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("next", &self.next)?;
        map.serialize_entry("live", &self.live)?;
        map.end()
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Slab<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Either<T> {
            type Value = Slab<T>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a list, or what is left of one")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Slab<T>, A::Error> {
                let mut slab = Slab::default();
                while let Some(value) = list.next_element()? {
                    slab.push(value);
                }
                Ok(slab)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Slab<T>, A::Error> {
                let (mut next, mut live) = (None, None);
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "next" => next = Some(map.next_value()?),
                        "live" => live = Some(map.next_value()?),
                        other => return Err(de::Error::unknown_field(other, &["next", "live"])),
                    }
                }
                let missing = || de::Error::custom("`next` and `live` must be there");
                Ok(Slab { next: next.ok_or_else(missing)?, live: live.ok_or_else(missing)? })
            }
        }

        deserializer.deserialize_any(Either(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::Slab;

    #[test]
    fn numbers_stay_when_others_are_taken_out_also_through_an_encoding() {
        let mut slab = Slab::default();
        for value in ["a", "b", "c", "d"] {
            slab.push(value.to_owned());
        }
        let through = |slab: &Slab<String>| -> Slab<String> {
            rmp_serde::from_slice(&rmp_serde::to_vec_named(slab).unwrap()).unwrap()
        };
        assert_eq!(through(&slab)[3], "d");
        slab.remove_where(|number| number == 0 || number == 2);
        for mut slab in [through(&slab), slab] {
            assert_eq!((slab.get(0), slab[1].as_str(), slab.get(2), slab[3].as_str()), (None, "b", None, "d"));
            assert_eq!(slab.push("e".to_owned()), 4);
            assert_eq!(slab.numbered().map(|(number, _)| number).collect::<Vec<_>>(), [1, 3, 4]);
        }
    }

    #[test]
    fn a_list_from_before_anything_could_be_taken_out_is_read() {
        let list = rmp_serde::to_vec_named(&["a", "b"]).unwrap();
        let slab: Slab<String> = rmp_serde::from_slice(&list).unwrap();
        assert_eq!((slab.len(), slab.next(), slab[1].as_str()), (2, 2, "b"));
    }
}
