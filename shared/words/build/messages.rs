//! Owns reading the files with messages, and what must be true of them: every language has every
//! message with the same variables, and all forms of its plural. Used by the build, and by a test.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::path::Path;

use fluent_syntax::ast::{
    Entry, Expression, InlineExpression, Pattern, PatternElement, Resource, VariantKey,
};
use fluent_syntax::{parser, serializer};

/// Every language, the usual one first, with the forms of its plural (CLDR) that its messages
/// have. They follow `casting_protocol::language::Language::ALL`.
pub const LANGUAGES: [(&str, &[&str]); 9] = [
    ("en", &["one", "other"]),
    ("de", &["one", "other"]),
    ("fr", &["one", "other"]),
    ("es", &["one", "other"]),
    ("pt", &["one", "other"]),
    ("it", &["one", "other"]),
    ("ja", &["other"]),
    ("zh", &["other"]),
    ("ar", &["zero", "one", "two", "few", "many", "other"]),
];

/// Areas whose English words stand elsewhere, because programs get them too.
pub const ENGLISH_ELSEWHERE: [&str; 1] = ["problems"];

/// A part of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// As it stands.
    Text(String),
    /// What stands in a variable.
    Variable(String),
    /// One of several texts, by the plural form of a number.
    Choice(String, Vec<(String, Vec<Piece>)>),
}

/// One message: its text, its detail if it has one, and both as they were written.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its name.
    pub id: String,
    /// Its text.
    pub text: Vec<Piece>,
    /// Its attribute `detail`.
    pub detail: Option<Vec<Piece>>,
    /// Its source.
    pub source: String,
}

/// The messages of all areas: area, language, messages.
pub type Areas = BTreeMap<String, Vec<(&'static str, Vec<Message>)>>;

/// Reads the folder: a folder for each language, a file for each area.
pub fn read(folder: &Path) -> Result<Areas, Box<dyn Error>> {
    let mut all = Areas::new();
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name();
        if !LANGUAGES.iter().any(|(language, _)| name == *language) {
            return Err(format!("{} is no language", name.display()).into());
        }
    }
    for (language, _) in LANGUAGES {
        for entry in std::fs::read_dir(folder.join(language))? {
            let path = entry?.path();
            let area = path
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let source = std::fs::read_to_string(&path)?;
            let messages =
                parse(&source).map_err(|wrong| format!("{}: {wrong}", path.display()))?;
            all.entry(area).or_default().push((language, messages));
        }
    }
    Ok(all)
}

/// Reads the messages of one file.
pub fn parse(source: &str) -> Result<Vec<Message>, String> {
    let resource = parser::parse(source).map_err(|(_, errors)| {
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        errors.join("; ")
    })?;
    let mut messages: Vec<Message> = Vec::new();
    for entry in resource.body {
        let message = match entry {
            Entry::Message(message) => message,
            Entry::Comment(_) | Entry::GroupComment(_) | Entry::ResourceComment(_) => continue,
            Entry::Term(_) | Entry::Junk { .. } => return Err("only messages are read".into()),
        };
        let id = message.id.name.to_owned();
        let within = |wrong: String| format!("{id}: {wrong}");
        let Some(text) = &message.value else {
            return Err(within("has no text".into()));
        };
        let text = pieces(text).map_err(within)?;
        let mut detail = None;
        for attribute in &message.attributes {
            if attribute.id.name != "detail" || detail.is_some() {
                return Err(within("has another attribute than one `detail`".into()));
            }
            detail = Some(pieces(&attribute.value).map_err(within)?);
        }
        if messages.iter().any(|earlier| earlier.id == id) {
            return Err(within("stands there twice".into()));
        }
        let source = serializer::serialize(&Resource {
            body: vec![Entry::Message(message)],
        });
        messages.push(Message {
            id,
            text,
            detail,
            source,
        });
    }
    Ok(messages)
}

fn pieces(pattern: &Pattern<&str>) -> Result<Vec<Piece>, String> {
    pattern
        .elements
        .iter()
        .map(|element| match element {
            PatternElement::TextElement { value } => {
                // Texts go into pages and scripts as they are.
                match value.find(['<', '>', '&', '"', '\\']) {
                    None => Ok(Piece::Text((*value).to_owned())),
                    Some(_) => Err("< > & \" and \\ cannot stand in a text".into()),
                }
            }
            PatternElement::Placeable {
                expression: Expression::Inline(InlineExpression::VariableReference { id }),
            } => Ok(Piece::Variable(id.name.to_owned())),
            PatternElement::Placeable {
                expression:
                    Expression::Select {
                        selector: InlineExpression::VariableReference { id },
                        variants,
                    },
            } => {
                let forms = variants.iter().map(|variant| match variant.key {
                    VariantKey::Identifier { name } => {
                        Ok((name.to_owned(), pieces(&variant.value)?))
                    }
                    VariantKey::NumberLiteral { .. } => Err("forms are named, not counted".into()),
                });
                let forms = forms.collect::<Result<_, String>>()?;
                Ok(Piece::Choice(id.name.to_owned(), forms))
            }
            PatternElement::Placeable { .. } => {
                Err("only variables and choices by number are read".into())
            }
        })
        .collect()
}

impl Message {
    /// All its texts.
    fn texts(&self) -> impl Iterator<Item = &Vec<Piece>> {
        std::iter::once(&self.text).chain(&self.detail)
    }

    /// The names of its variables.
    pub fn variables(&self) -> BTreeSet<&str> {
        fn note<'a>(pieces: &'a [Piece], found: &mut BTreeSet<&'a str>) {
            for piece in pieces {
                match piece {
                    Piece::Text(_) => {}
                    Piece::Variable(name) => _ = found.insert(name),
                    Piece::Choice(name, forms) => {
                        found.insert(name);
                        forms.iter().for_each(|(_, form)| note(form, found));
                    }
                }
            }
        }
        let mut found = BTreeSet::new();
        self.texts().for_each(|text| note(text, &mut found));
        found
    }

    /// The variables by whose number a form is chosen.
    pub fn numbers(&self) -> BTreeSet<&str> {
        let pieces = self.texts().flatten();
        let choices = pieces.filter_map(|piece| match piece {
            Piece::Choice(name, _) => Some(name.as_str()),
            Piece::Text(_) | Piece::Variable(_) => None,
        });
        choices.collect()
    }

    /// What is wrong with its forms in a language with these.
    fn wrong_forms(&self, wanted: &[&str]) -> Option<String> {
        let wanted: BTreeSet<&str> = wanted.iter().copied().collect();
        for piece in self.texts().flatten() {
            let Piece::Choice(_, forms) = piece else {
                continue;
            };
            let named: BTreeSet<&str> = forms.iter().map(|(name, _)| name.as_str()).collect();
            if named != wanted || named.len() != forms.len() {
                return Some(format!("has the forms {named:?}, not {wanted:?}"));
            }
            if forms.last().is_none_or(|(name, _)| name != "other") {
                return Some("ends not with `other`".into());
            }
            let mut nested = forms.iter().flat_map(|(_, form)| form);
            if nested.any(|piece| matches!(piece, Piece::Choice(..))) {
                return Some("has a choice within a choice".into());
            }
        }
        None
    }
}

/// What is wrong with the messages, a line each.
pub fn check(all: &Areas) -> Vec<String> {
    let mut wrong = Vec::new();
    for (area, languages) in all {
        let expected = LANGUAGES
            .iter()
            .map(|(language, _)| *language)
            .filter(|language| *language != "en" || !ENGLISH_ELSEWHERE.contains(&area.as_str()));
        let found: Vec<&str> = languages.iter().map(|(language, _)| *language).collect();
        for language in expected {
            if !found.contains(&language) {
                wrong.push(format!("{language}/{area}.ftl is missing"));
            }
        }
        let Some((_, first)) = languages.first() else {
            continue;
        };
        for (language, messages) in languages {
            let forms = LANGUAGES.iter().find(|(name, _)| name == language);
            let forms = forms.map_or(&[][..], |(_, forms)| forms);
            wrong.extend(
                compare(first, messages, forms)
                    .into_iter()
                    .map(|line| format!("{language}/{area}.ftl: {line}")),
            );
        }
    }
    wrong
}

/// What is wrong with one language's messages, compared with those of the first.
pub fn compare(first: &[Message], messages: &[Message], forms: &[&str]) -> Vec<String> {
    let mut wrong = Vec::new();
    for expected in first {
        let id = &expected.id;
        let Some(found) = messages.iter().find(|message| message.id == *id) else {
            wrong.push(format!("{id} is missing"));
            continue;
        };
        if found.variables() != expected.variables() {
            wrong.push(format!(
                "{id} has the variables {:?}, not {:?}",
                found.variables(),
                expected.variables()
            ));
        }
        if found.detail.is_some() != expected.detail.is_some() {
            wrong.push(format!("{id} has a detail, or has none, unlike the first"));
        }
        wrong.extend(
            found
                .wrong_forms(forms)
                .map(|reason| format!("{id} {reason}")),
        );
    }
    for message in messages {
        if !first.iter().any(|expected| expected.id == message.id) {
            wrong.push(format!("{} is unknown", message.id));
        }
    }
    wrong
}
