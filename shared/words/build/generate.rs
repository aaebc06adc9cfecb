//! Owns the source that is made of the messages: a type for each area, with a field for each plain
//! message and a method for each with variables, and their values in every language.
//!
//! Plain messages become texts in the program. Those with variables stay in Fluent's syntax, and
//! are parsed when the first one of their area and language is asked for.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt::Write as _;

use crate::messages::{Areas, LANGUAGES, Message, Piece};

/// Areas that are looked up by name, each with a text and a detail.
const BY_NAME: [&str; 2] = ["problems", "notices"];
/// Areas that a script gets, as JSON.
const FOR_SCRIPTS: [&str; 1] = ["script"];

type Languages = [(&'static str, Vec<Message>)];

/// The whole source.
pub fn source(all: &Areas) -> Result<String, Box<dyn Error>> {
    let mut out = String::new();
    for (area, languages) in all {
        if BY_NAME.contains(&area.as_str()) {
            by_name(&mut out, area, languages)?;
        } else if FOR_SCRIPTS.contains(&area.as_str()) {
            for_script(&mut out, area, languages)?;
        } else {
            typed(&mut out, area, languages)?;
        }
    }
    writeln!(out, "impl Words {{")?;
    for area in all.keys() {
        let table = area.to_uppercase();
        let (doc, kind) = if BY_NAME.contains(&area.as_str()) {
            (
                "by name: name, text, detail",
                "&'static [(&'static str, &'static str, &'static str)]".to_owned(),
            )
        } else if FOR_SCRIPTS.contains(&area.as_str()) {
            ("as a JSON object", "&'static str".to_owned())
        } else {
            ("", format!("&'static {}", type_name(area)))
        };
        let reference = if kind.starts_with("&'static [") || kind == "&'static str" {
            ""
        } else {
            "&"
        };
        writeln!(
            out,
            "/// The messages of `{area}.ftl` {doc}.\npub fn {area}(self) -> {kind} {{ {reference}{table}[self.0 as usize] }}"
        )?;
    }
    writeln!(out, "}}")?;
    let tags: Vec<&str> = LANGUAGES.iter().map(|(tag, _)| *tag).collect();
    writeln!(
        out,
        "#[cfg(test)]\nconst TAGS: [&str; {}] = {tags:?};",
        tags.len()
    )?;
    Ok(out)
}

fn by_name(out: &mut String, area: &str, languages: &Languages) -> Result<(), Box<dyn Error>> {
    writeln!(
        out,
        "static {}: [&[(&str, &str, &str)]; {}] = [",
        area.to_uppercase(),
        LANGUAGES.len()
    )?;
    for (language, _) in LANGUAGES {
        let messages = languages.iter().find(|(found, _)| *found == language);
        writeln!(out, "&[")?;
        for message in messages.map_or(&[][..], |(_, messages)| messages) {
            let detail = message.detail.as_deref().unwrap_or_default();
            let (text, detail) = (plain(&message.text)?, plain(detail)?);
            writeln!(out, "({:?}, {text:?}, {detail:?}),", message.id)?;
        }
        writeln!(out, "],")?;
    }
    writeln!(out, "];")?;
    Ok(())
}

fn for_script(out: &mut String, area: &str, languages: &Languages) -> Result<(), Box<dyn Error>> {
    writeln!(
        out,
        "static {}: [&str; {}] = [",
        area.to_uppercase(),
        LANGUAGES.len()
    )?;
    for (_, messages) in languages {
        let mut object = serde_json::Map::new();
        for message in messages {
            let value = match message.text.as_slice() {
                [Piece::Choice(_, forms)] => forms
                    .iter()
                    .map(|(form, pieces)| (form.clone(), braced(pieces).into()))
                    .collect::<serde_json::Map<_, _>>()
                    .into(),
                pieces => braced(pieces).into(),
            };
            object.insert(message.id.clone(), value);
        }
        let json = serde_json::Value::from(object).to_string();
        writeln!(out, "{json:?},")?;
    }
    writeln!(out, "];")?;
    Ok(())
}

fn typed(out: &mut String, area: &str, languages: &Languages) -> Result<(), Box<dyn Error>> {
    let (kind, table) = (type_name(area), area.to_uppercase());
    let Some((_, first)) = languages.first() else {
        return Ok(());
    };
    let has_variables = first.iter().any(|message| !message.variables().is_empty());
    writeln!(
        out,
        "/// The messages of `{area}.ftl` in one language.\n#[derive(Debug)]\npub struct {kind} {{"
    )?;
    if has_variables {
        writeln!(out, "language: Language,")?;
    }
    for message in first
        .iter()
        .filter(|message| message.variables().is_empty())
    {
        let (text, field) = (plain(&message.text)?, field(&message.id));
        writeln!(
            out,
            "/// \u{201c}{text}\u{201d}\npub {field}: &'static str,"
        )?;
    }
    writeln!(out, "}}")?;
    if has_variables {
        writeln!(
            out,
            "static {table}_BUNDLES: [LazyLock<Bundle>; {}] = [",
            LANGUAGES.len()
        )?;
        for (language, messages) in languages {
            let source: String = messages
                .iter()
                .filter(|message| !message.variables().is_empty())
                .map(|message| message.source.as_str())
                .collect();
            writeln!(
                out,
                "LazyLock::new(|| bundle({}, {source:?})),",
                variant(language)
            )?;
        }
        writeln!(out, "];\nimpl {kind} {{")?;
        for message in first
            .iter()
            .filter(|message| !message.variables().is_empty())
        {
            method(out, message, languages, &table)?;
        }
        writeln!(out, "}}")?;
    }
    writeln!(out, "static {table}: [{kind}; {}] = [", LANGUAGES.len())?;
    for (language, messages) in languages {
        writeln!(out, "{kind} {{")?;
        if has_variables {
            writeln!(out, "language: {},", variant(language))?;
        }
        for message in messages
            .iter()
            .filter(|message| message.variables().is_empty())
        {
            writeln!(out, "{}: {:?},", field(&message.id), plain(&message.text)?)?;
        }
        writeln!(out, "}},")?;
    }
    writeln!(out, "];")?;
    Ok(())
}

fn method(
    out: &mut String,
    message: &Message,
    languages: &Languages,
    table: &str,
) -> Result<(), Box<dyn Error>> {
    // In a language without plural forms a number looks like any other variable.
    let of_all = languages
        .iter()
        .flat_map(|(_, messages)| messages.iter().filter(|other| other.id == message.id));
    let numbers: BTreeSet<&str> = of_all.flat_map(Message::numbers).collect();
    let variables = message.variables();
    let parameters: Vec<String> = variables
        .iter()
        .map(|name| {
            let kind = if numbers.contains(name) {
                "u64"
            } else {
                "&str"
            };
            format!("{name}: {kind}")
        })
        .collect();
    let values: Vec<String> = variables
        .iter()
        .map(|name| format!("({name:?}, {name}.into())"))
        .collect();
    let example = braced(match message.text.as_slice() {
        [Piece::Choice(_, forms)] => forms.last().map_or(&[][..], |(_, form)| form),
        pieces => pieces,
    });
    writeln!(
        out,
        "/// \u{201c}{example}\u{201d}\npub fn {}(&self, {}) -> String {{ say(&{table}_BUNDLES[self.language as usize], {:?}, [{}]) }}",
        field(&message.id),
        parameters.join(", "),
        message.id,
        values.join(", ")
    )?;
    Ok(())
}

/// A text without variables.
fn plain(pieces: &[Piece]) -> Result<String, Box<dyn Error>> {
    let texts = pieces.iter().map(|piece| match piece {
        Piece::Text(text) => Ok(text.as_str()),
        Piece::Variable(name) | Piece::Choice(name, _) => {
            Err(format!("the variable {name} has no value here"))
        }
    });
    Ok(texts.collect::<Result<String, _>>()?)
}

/// A text with its variables in braces.
fn braced(pieces: &[Piece]) -> String {
    let texts = pieces.iter().map(|piece| match piece {
        Piece::Text(text) => text.clone(),
        Piece::Variable(name) | Piece::Choice(name, _) => format!("{{{name}}}"),
    });
    texts.collect()
}

fn field(id: &str) -> String {
    id.replace('-', "_")
}

fn type_name(area: &str) -> String {
    let mut letters = area.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

fn variant(language: &str) -> &'static str {
    match language {
        "en" => "Language::English",
        "de" => "Language::German",
        "fr" => "Language::French",
        "es" => "Language::Spanish",
        "pt" => "Language::Portuguese",
        "it" => "Language::Italian",
        "ja" => "Language::Japanese",
        "zh" => "Language::Chinese",
        _ => "Language::Arabic",
    }
}
