//! Owns how the document says the same only once: a schema that stands in several others gets a
//! name of its own, and they refer to it. Must not know what any schema says.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, Value, json};

/// The shortest schema that is worth a name, in bytes of JSON. A smaller one is read more easily
/// where it is used.
const LEAST: usize = 300;
/// What holds schemas by name, and what holds one for every entry.
const BY_NAME: [&str; 2] = ["properties", "patternProperties"];
const ENTRIES: [&str; 2] = ["items", "additionalProperties"];
/// What joins schemas. Tools that make up documents work out such a join and cannot when there is a
/// reference in it, so it stays as it is, with the properties that it speaks of; where its parts
/// exclude each other, with all of them.
const JOINS: [&str; 7] = ["allOf", "anyOf", "oneOf", "not", "if", "then", "else"];

/// Gives names to what repeats within these schemas.
pub(super) fn name_what_repeats(schemas: &mut Map<String, Value>) {
    let mut counts = HashMap::new();
    for schema in schemas.values_mut() {
        count(schema, &mut counts);
    }
    let repeats = counts
        .into_iter()
        .filter(|(text, count)| *count > 1 && text.len() >= LEAST)
        .map(|(text, _)| text);
    let mut shared = Shared {
        repeats: repeats.collect(),
        taken: schemas.keys().cloned().collect(),
        names: HashMap::new(),
        found: Map::new(),
    };
    for (name, schema) in schemas.iter_mut() {
        shared.refer(schema, name, name);
    }
    schemas.extend(shared.found);
}

/// The schemas that stand in this one, each with the property that it is of; an entry of a list or
/// an object has none.
fn children(schema: &mut Value) -> Vec<(Option<String>, &mut Value)> {
    let Value::Object(fields) = schema else {
        return Vec::new();
    };
    let joined: String = JOINS
        .iter()
        .filter_map(|keyword| fields.get(*keyword))
        .map(Value::to_string)
        .collect();
    let mut found = Vec::new();
    if joined.contains("\"oneOf\"") {
        return found;
    }
    for (keyword, value) in fields {
        if BY_NAME.contains(&keyword.as_str()) {
            let inner = value.as_object_mut().into_iter().flatten();
            let free = inner.filter(|(name, _)| !joined.contains(&format!("\"{name}\"")));
            found.extend(free.map(|(name, child)| (Some(name.clone()), child)));
        } else if ENTRIES.contains(&keyword.as_str()) {
            found.push((None, value));
        }
    }
    found
}

/// How often each schema stands within this one. What stands in one that repeats is counted with
/// its first.
fn count(schema: &mut Value, counts: &mut HashMap<String, usize>) {
    for (_, child) in children(schema) {
        let seen = counts.entry(child.to_string()).or_default();
        *seen += 1;
        if *seen == 1 {
            count(child, counts);
        }
    }
}

/// What has got a name so far.
struct Shared {
    repeats: BTreeSet<String>,
    taken: BTreeSet<String>,
    names: HashMap<String, String>,
    found: Map<String, Value>,
}

impl Shared {
    /// Puts references for what repeats in this schema, which stands in the schema called `owner`
    /// and near the name `near`.
    fn refer(&mut self, schema: &mut Value, owner: &str, near: &str) {
        for (property, child) in children(schema) {
            let near = property.map_or_else(|| format!("{near}Item"), |name| pascal(&name));
            let text = child.to_string();
            if !self.repeats.contains(&text) {
                self.refer(child, owner, &near);
                continue;
            }
            let name = match self.names.get(&text) {
                Some(name) => name.clone(),
                None => {
                    let name = self.free_name(&near, owner);
                    self.names.insert(text, name.clone());
                    let mut definition = child.clone();
                    self.refer(&mut definition, &name, &near);
                    self.found.insert(name.clone(), definition);
                    name
                }
            };
            *child = json!({ "$ref": format!("#/components/schemas/{name}") });
        }
    }

    /// The name, or one that says where it was found first.
    fn free_name(&mut self, near: &str, owner: &str) -> String {
        let within = format!("{near}Of{owner}");
        let numbered = (2..).map(|number| format!("{within}{number}"));
        let mut names = [near.to_owned(), within.clone()]
            .into_iter()
            .chain(numbered);
        let name = names
            .find(|name| !self.taken.contains(name))
            .unwrap_or(within);
        self.taken.insert(name.clone());
        name
    }
}

/// `open_hours` as `OpenHours`.
fn pascal(name: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters
            .next()
            .map(|first| first.to_uppercase().chain(letters).collect::<String>())
            .unwrap_or_default()
    };
    name.split(|c: char| !c.is_ascii_alphanumeric())
        .map(word)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schemas(value: &Value) -> Map<String, Value> {
        value.as_object().cloned().expect("schemas")
    }

    #[test]
    fn repeated_subschemas_are_shared() {
        let long = json!({ "enum": vec!["a long word"; 30] });
        let hours = json!({ "properties": { "time_zone": long, "other_zone": long } });
        let mut all = schemas(&json!({
            "Cast": { "properties": { "open_hours": hours, "time_zone": { "type": "string" } } },
            "NewCast": { "properties": { "open_hours": hours, "on": { "type": "boolean" } }, "required": ["open_hours"] },
            "Once": { "properties": { "alone": { "enum": vec!["another word"; 30] } } },
        }));
        name_what_repeats(&mut all);
        let to = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
        assert_eq!(
            all["Cast"]["properties"],
            json!({ "open_hours": to("OpenHours"), "time_zone": { "type": "string" } })
        );
        assert_eq!(all["NewCast"]["properties"]["open_hours"], to("OpenHours"));
        assert_eq!(
            all["OpenHours"],
            json!({ "properties": { "time_zone": to("TimeZone"), "other_zone": to("TimeZone") } })
        );
        assert_eq!((&all["TimeZone"], all.len()), (&long, 5));
    }

    #[test]
    fn schema_names_are_unique_and_other_values_unchanged() {
        let (one, two) = (
            json!({ "enum": vec!["a long word"; 30] }),
            json!({ "enum": vec!["another word"; 30] }),
        );
        let mut all = schemas(&json!({
            "Name": { "properties": { "name": one }, "examples": [{ "properties": { "name": one } }] },
            "Group": { "properties": { "name": two } },
            "Other": { "items": two },
            "Joined": { "properties": { "name": two, "other": one }, "anyOf": [{ "properties": { "name": one } }] },
            "Apart": { "properties": { "other": one }, "allOf": [{ "oneOf": [{ "required": ["other"] }, { "required": ["name"] }] }] },
        }));
        name_what_repeats(&mut all);
        let names: Vec<&String> = all.keys().collect();
        assert_eq!(
            names,
            [
                "Name",
                "Group",
                "Other",
                "Joined",
                "Apart",
                "NameOfName",
                "NameOfGroup"
            ]
        );
        assert_eq!(
            all["Name"]["examples"][0]["properties"]["name"], one,
            "an example is no schema"
        );
        assert_eq!(
            all["Joined"]["properties"]["name"], two,
            "what a join speaks of stays"
        );
        assert_eq!(
            all["Apart"]["properties"]["other"], one,
            "and so does everything where parts exclude each other"
        );
        assert_eq!(
            all["Joined"]["properties"]["other"]["$ref"],
            "#/components/schemas/NameOfName"
        );
    }
}
