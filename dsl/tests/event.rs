//! Patterns of events, held against what the guide of `EventBridge` and its matcher say, and against their definition.

use std::collections::BTreeMap;

use lockstep_dsl::event::Pattern;
use lockstep_dsl::value::Value;
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value as Json, json};

/// A pattern with events that are meant and events that are not.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    what: String,
    /// Which public text says so.
    source: String,
    pattern: Json,
    matches: Vec<Json>,
    misses: Vec<Json>,
}

fn pattern(pattern: &Json) -> Pattern {
    Pattern::parse(&Value::from_json(pattern.clone())).unwrap_or_else(|errors| panic!("{pattern}: {errors:?}"))
}

fn groups() -> Vec<Group> {
    serde_json::from_str(include_str!("event/pairs.json")).expect("the file has groups")
}

#[test]
fn patterns_mean_what_their_guide_says() {
    let mut pairs = 0;
    for Group { what, source, pattern: text, matches, misses } in groups() {
        assert!(!matches.is_empty() && !misses.is_empty(), "{what} proves nothing");
        let pattern = pattern(&text);
        for (event, is_meant) in
            matches.iter().map(|event| (event, true)).chain(misses.iter().map(|event| (event, false)))
        {
            let told = pattern.matches(&Value::from_json(event.clone()));
            assert_eq!(told, is_meant, "{what} ({source}): {event}");
            assert_eq!(defined(&text, event), is_meant, "{what}, by the definition: {event}");
            pairs += 1;
        }
        for event in &matches {
            assert_eq!(pattern.misses(&Value::from_json(event.clone())), [""; 0], "{what}: {event}");
        }
    }
    assert!(pairs >= 450, "{pairs} pairs");
}

#[test]
fn what_is_not_wanted_is_named() {
    let wanted = pattern(&json!({ "a": [1], "b": { "c": ["x"], "d": [{ "exists": false }] } }));
    let misses = |event: Json| wanted.misses(&Value::from_json(event));
    assert_eq!(misses(json!({ "a": 2, "b": { "c": "x" } })), ["a"]);
    assert_eq!(misses(json!({ "a": 1 })), ["b.c"]);
    assert_eq!(misses(json!({ "a": 1, "b": [{ "c": "x" }, { "d": 0 }] })), ["b.d"]);
    // Each is there, but not in one object.
    let both = pattern(&json!({ "b": { "c": ["x"], "d": ["y"] } }));
    let event = Value::from_json(json!({ "b": [{ "c": "x" }, { "d": "y" }] }));
    assert!(!both.matches(&event));
    assert_eq!(both.misses(&event), [""; 0]);
    // Of several ways that which comes closest.
    let either = pattern(&json!({ "$or": [{ "a": [1], "b": [1] }, { "c": [1] }] }));
    assert_eq!(either.misses(&Value::from_json(json!({}))), ["c"]);
}

#[test]
fn everything_that_is_wrong_with_a_pattern_is_said_with_its_place() {
    for (text, at, message) in [
        (json!(["x"]), "pattern", "a pattern is a map of fields, not a list"),
        (json!({}), "pattern", "names no field: an empty pattern means nothing"),
        (json!({ "a": {} }), "a", "names no field"),
        (json!({ "a": "x" }), "a", "a field has a list of alternatives, such as `[x]`, not a string"),
        (json!({ "a": null }), "a", "such as `[x]`, not nothing"),
        (json!({ "a": [] }), "a", "an empty list matches nothing"),
        (json!({ "a": [["x"]] }), "a[0]", "a value or an operator stands here, not a list"),
        (json!({ "a": ["x", {}] }), "a[1]", "one operator stands here: `prefix`"),
        (json!({ "a": [{ "prefix": "x", "suffix": "y" }] }), "a[0]", "one operator stands here"),
        (json!({ "a": [{ "prefx": "x" }] }), "a[0].prefx", "there is no such operator; there are `prefix`"),
        (json!({ "a": [{ "prefix": 1 }] }), "a[0].prefix", "has a text, not an int"),
        (json!({ "a": [{ "prefix": ["x"] }] }), "a[0].prefix", "has a text, not a list"),
        (json!({ "a": [{ "suffix": { "wildcard": "x" } }] }), "a[0].suffix", "or `{ equals-ignore-case: text }`"),
        (json!({ "a": [{ "equals-ignore-case": null }] }), "a[0].equals-ignore-case", "has a text, not nothing"),
        (json!({ "a": [{ "wildcard": "a**b" }] }), "a[0].wildcard", "two `*` side by side"),
        (json!({ "a": [{ "wildcard": "a\\b" }] }), "a[0].wildcard", "a backslash stands before"),
        (json!({ "a": [{ "wildcard": "a\\" }] }), "a[0].wildcard", "a backslash stands before"),
        (json!({ "a": [{ "anything-but": [] }] }), "a[0].anything-but", "has a text, a number"),
        (json!({ "a": [{ "anything-but": ["x", 1] }] }), "a[0].anything-but", "a list of texts or of numbers"),
        (json!({ "a": [{ "anything-but": null }] }), "a[0].anything-but", "has a text, a number"),
        (json!({ "a": [{ "anything-but": { "prefix": "" } }] }), "a[0].anything-but.prefix", "none of them empty"),
        (json!({ "a": [{ "anything-but": { "numeric": [] } }] }), "a[0].anything-but.numeric", "one of `prefix`"),
        (json!({ "a": [{ "anything-but": { "suffix": [1] } }] }), "a[0].anything-but.suffix", "each with a text"),
        (json!({ "a": [{ "numeric": ">" }] }), "a[0].numeric", "has a list such as `['>', 0, '<=', 5]`"),
        (json!({ "a": [{ "numeric": [] }] }), "a[0].numeric", "has `=` and a number"),
        (json!({ "a": [{ "numeric": [">"] }] }), "a[0].numeric", "has `=` and a number"),
        (json!({ "a": [{ "numeric": ["<>", 0] }] }), "a[0].numeric", "has `=` and a number"),
        (json!({ "a": [{ "numeric": [">", "0"] }] }), "a[0].numeric", "has `=` and a number"),
        (json!({ "a": [{ "numeric": ["<", 5, ">", 0] }] }), "a[0].numeric", "the lower one first"),
        (json!({ "a": [{ "numeric": ["=", 5, "<", 9] }] }), "a[0].numeric", "has `=` and a number"),
        (json!({ "a": [{ "numeric": [">", 5, "<", 5] }] }), "a[0].numeric", "no number is above the lower bound"),
        (json!({ "a": [{ "numeric": [">", 5, "<", 9, "<", 8] }] }), "a[0].numeric", "one or two bounds"),
        (json!({ "a": [{ "cidr": "10.0.0.0" }] }), "a[0].cidr", "`10.0.0.0` is no network"),
        (json!({ "a": [{ "cidr": "10.0.0.0/33" }] }), "a[0].cidr", "`10.0.0.0/33` is no network"),
        (json!({ "a": [{ "cidr": 10 }] }), "a[0].cidr", "has a network such as"),
        (json!({ "a": [{ "exists": "true" }] }), "a[0].exists", "is `true` or `false`, not a string"),
        (json!({ "$or": { "a": [1] } }), "$or", "has a list of patterns of which one is met, not a map"),
        (json!({ "$or": [{ "a": [1] }] }), "$or", "has two patterns or more"),
        (json!({ "d": { "$or": [{ "a": [1] }, {}] } }), "d.$or[1]", "names no field"),
        (json!({ "$or": [{ "a": [1] }, 7] }), "$or[1]", "is a pattern, not an int"),
    ] {
        let errors = Pattern::parse(&Value::from_json(text.clone())).expect_err(&text.to_string());
        assert_eq!(errors.len(), 1, "{text}: {errors:?}");
        assert_eq!(errors[0].at, at, "{text}");
        assert!(errors[0].message.contains(message), "{text}: {} does not contain {message}", errors[0].message);
    }
    let three = json!({ "a": [], "b": 1, "c": [{ "prefix": 1 }] });
    assert_eq!(Pattern::parse(&Value::from_json(three)).unwrap_err().len(), 3, "all at once");
}

#[test]
fn a_pattern_has_a_thousand_ways_at_most() {
    let two = |n| json!({ format!("a{n}"): [1] });
    let or = |n: usize| json!({ "$or": [two(n), two(n + 1)] });
    let nested = |depth: usize| {
        let mut all = serde_json::Map::new();
        (0..depth).for_each(|level| drop(all.insert(format!("level{level}"), or(level))));
        Value::from_json(Json::Object(all))
    };
    assert!(Pattern::parse(&nested(9)).is_ok(), "512 ways");
    let errors = Pattern::parse(&nested(10)).unwrap_err();
    assert!(errors[0].message.contains("more than 1000 ways"), "{errors:?}");
}

/// Whether an event is meant, by the definition: the event is taken apart into values, each with the fields that lead to
/// it and the elements of lists in which its object is; no two values that are found may be within objects that are in
/// different elements of one list.
/// Knows texts, numbers by value, `prefix`, `anything-but` of one value and `exists`, and hands the rest to the matcher,
/// one value at a time.
fn defined(pattern: &Json, event: &Json) -> bool {
    let mut leaves = Vec::new();
    take_apart(event, &mut Vec::new(), &mut BTreeMap::new(), &BTreeMap::new(), &mut leaves);
    ways(pattern, &[]).iter().any(|way| is_found(way, &leaves, &BTreeMap::new()))
}

type Members = BTreeMap<Vec<String>, usize>;
type Leaf = (Vec<String>, Members, Json);

/// `members` are all elements on the way, `of_object` those up to the innermost object.
fn take_apart(
    value: &Json,
    path: &mut Vec<String>,
    members: &mut Members,
    of_object: &Members,
    leaves: &mut Vec<Leaf>,
) {
    match value {
        Json::Object(fields) => {
            let of_object = members.clone();
            for (name, value) in fields {
                path.push(name.clone());
                take_apart(value, path, members, &of_object, leaves);
                path.pop();
            }
        }
        Json::Array(elements) => {
            for (place, element) in elements.iter().enumerate() {
                // A list is named by the way to it, elements included.
                let list: Vec<String> = path.iter().cloned().chain([format!("{members:?}")]).collect();
                members.insert(list.clone(), place);
                take_apart(element, path, members, of_object, leaves);
                members.remove(&list);
            }
        }
        leaf => leaves.push((path.clone(), of_object.clone(), leaf.clone())),
    }
}

/// A pattern without `$or`: for each way of meeting it, the places with their alternatives.
fn ways(pattern: &Json, path: &[String]) -> Vec<Vec<(Vec<String>, Vec<Json>)>> {
    let mut all = vec![Vec::new()];
    for (name, wanted) in pattern.as_object().expect("a pattern") {
        let place: Vec<String> = path.iter().cloned().chain([name.clone()]).collect();
        let next = match wanted {
            Json::Array(patterns) if name == "$or" => patterns.iter().flat_map(|pattern| ways(pattern, path)).collect(),
            Json::Array(alternatives) => vec![vec![(place, alternatives.clone())]],
            inner => ways(inner, &place),
        };
        all = all.iter().flat_map(|one| next.iter().map(|other| [one.clone(), other.clone()].concat())).collect();
    }
    all
}

fn is_found(way: &[(Vec<String>, Vec<Json>)], leaves: &[Leaf], chosen: &Members) -> bool {
    let Some(((place, alternatives), rest)) = way.split_first() else { return true };
    let is_absent = leaves.iter().all(|(path, ..)| path != place);
    if is_absent {
        return alternatives.contains(&json!({ "exists": false })) && is_found(rest, leaves, chosen);
    }
    leaves.iter().filter(|(path, ..)| path == place).any(|(_, members, value)| {
        let agrees = members.iter().all(|(list, place)| chosen.get(list).is_none_or(|other| other == place));
        let is_one = alternatives.iter().any(|wanted| is_meant(wanted, value));
        let both: Members = chosen.iter().chain(members).map(|(list, place)| (list.clone(), *place)).collect();
        agrees && is_one && is_found(rest, leaves, &both)
    })
}

fn is_meant(wanted: &Json, value: &Json) -> bool {
    let Json::Object(operator) = wanted else {
        return match (wanted.as_f64(), value.as_f64()) {
            (Some(_), Some(_)) if wanted.is_i64() && value.is_i64() => wanted == value,
            (Some(wanted), Some(value)) => (wanted - value).abs() < f64::EPSILON,
            _ => wanted == value,
        };
    };
    let (name, argument) = operator.iter().next().expect("one operator");
    match (name.as_str(), argument) {
        ("exists", exists) => exists == &json!(true),
        ("prefix", Json::String(prefix)) => value.as_str().is_some_and(|text| text.starts_with(prefix)),
        ("anything-but", Json::String(_) | Json::Number(_)) => !is_meant(argument, value),
        _ => pattern(&json!({ "x": [wanted] })).matches(&Value::from_json(json!({ "x": value }))),
    }
}

fn leaf() -> impl Strategy<Value = Json> {
    prop_oneof![Just(json!(1)), Just(json!(2)), Just(json!("x")), Just(json!("xy")), Just(Json::Null)]
}

fn event() -> impl Strategy<Value = Json> {
    leaf().prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Json::Array),
            prop::collection::btree_map("[ab]", inner, 0..3).prop_map(|fields| json!(fields)),
        ]
    })
}

fn alternatives() -> impl Strategy<Value = Json> {
    let one = prop_oneof![
        leaf(),
        Just(json!({ "exists": true })),
        Just(json!({ "exists": false })),
        Just(json!({ "prefix": "x" })),
        Just(json!({ "anything-but": "x" })),
        Just(json!({ "anything-but": 1 })),
    ];
    prop::collection::vec(one, 1..3).prop_map(Json::Array)
}

fn any_pattern() -> impl Strategy<Value = Json> {
    let fields = |of: BoxedStrategy<Json>| prop::collection::btree_map("[ab]", of, 1..3).prop_map(|map| json!(map));
    let flat = fields(alternatives().boxed()).boxed();
    let nested = fields(prop_oneof![alternatives().boxed(), flat.clone()].boxed()).boxed();
    let or = (nested.clone(), nested.clone(), flat).prop_map(|(one, other, beside)| {
        let mut both = beside;
        both["$or"] = json!([one, other]);
        both
    });
    prop_oneof![nested, or]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn patterns_mean_what_their_definition_says(text in any_pattern(), event in event()) {
        let event = json!({ "a": event, "b": [{ "a": 1 }, { "b": "x" }] });
        prop_assert_eq!(pattern(&text).matches(&Value::from_json(event.clone())), defined(&text, &event));
    }
}
