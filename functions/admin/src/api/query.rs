//! Owns query parameters: one line both parses a parameter and documents it, so the document cannot
//! differ from the API. Unknown parameters are refused, so that a typo is not taken for a missing
//! filter. Must not know what is listed.

use casting_core::form::{FieldParser, TextType, parsed};
use casting_core::time::Timestamp;
use casting_web::{Problem, RequestContext, RequestError};
use serde_json::{Value, json};

use casting_web::HandlerError;

/// A parameter, as documented.
#[derive(Debug)]
pub(crate) struct Parameter {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it is for, in a sentence.
    pub(crate) about: &'static str,
    /// What may stand in it.
    pub(crate) schema: Value,
}

/// The query of a request that is being read.
#[derive(Debug, Default)]
pub(crate) struct Query {
    sent: Vec<(String, String)>,
    asked: Vec<Parameter>,
    wrong: Option<String>,
}

/// Reads a query with `read`.
///
/// # Errors
/// 400 with the name of the first parameter that is invalid or unknown.
pub(crate) fn read<T>(
    visit: &RequestContext,
    read: impl FnOnce(&mut Query) -> T,
) -> Result<T, HandlerError> {
    let mut query = Query {
        sent: visit.queries().to_vec(),
        ..Query::default()
    };
    let found = read(&mut query);
    match query.wrong.or_else(|| stray(&query.sent, &query.asked)) {
        None => Ok(found),
        Some(detail) => Err(Problem::new(RequestError::BadRequest).detail(detail).into()),
    }
}

/// Which parameters `read` asks for.
pub(crate) fn json_schema(read: impl FnOnce(&mut Query)) -> Vec<Parameter> {
    let mut query = Query::default();
    read(&mut query);
    query.asked
}

/// The first parameter that is not asked for, or that was sent twice.
fn stray(sent: &[(String, String)], asked: &[Parameter]) -> Option<String> {
    sent.iter().enumerate().find_map(|(index, (name, _))| {
        if !asked.iter().any(|parameter| parameter.name == name) {
            return Some(format!(
                "There is no parameter \u{201c}{name}\u{201d} here."
            ));
        }
        let twice = sent.iter().take(index).any(|(other, _)| other == name);
        twice.then(|| format!("The parameter \u{201c}{name}\u{201d} was sent twice."))
    })
}

impl Query {
    /// A parameter that `reader` reads; `None` when it is not there.
    pub(crate) fn optional<T>(
        &mut self,
        name: &'static str,
        about: &'static str,
        parser: &FieldParser<T>,
    ) -> Option<T> {
        let schema = parser.schema_of();
        let is_number = schema["type"] == "integer";
        self.asked.push(Parameter {
            name,
            about,
            schema,
        });
        let (_, text) = self.sent.iter().find(|(sent, _)| sent == name)?;
        let plain = text.bytes().all(|b| b.is_ascii_digit());
        let number = || {
            if plain {
                text.parse::<u64>().ok()
            } else {
                None
            }
        };
        let value = if is_number {
            json!(number())
        } else {
            json!(text)
        };
        match parser(&value) {
            Ok(value) => Some(value),
            Err(detail) => {
                self.wrong
                    .get_or_insert(format!("The parameter \u{201c}{name}\u{201d} {detail}"));
                None
            }
        }
    }

    /// A text that `read` understands.
    pub(crate) fn parsed<T: TextType + 'static>(
        &mut self,
        name: &'static str,
        about: &'static str,
        read: fn(&str) -> Option<T>,
    ) -> Option<T> {
        let otherwise = || match T::SYNTAX.schema()["examples"][0].as_str() {
            Some(example) => format!("must look like {example}."),
            None => "is not possible.".to_owned(),
        };
        self.optional(
            name,
            about,
            &parsed(move |text| read(text).ok_or_else(otherwise)),
        )
    }

    /// One of these words.
    pub(crate) fn word<T: Clone>(
        &mut self,
        name: &'static str,
        about: &'static str,
        words: &[(&'static str, T)],
    ) -> Option<T> {
        let names: Vec<&'static str> = words.iter().map(|(word, _)| *word).collect();
        let otherwise = format!("must be one of {}.", names.join(", "));
        let known = names.clone();
        let read = move |value: &Value| {
            known
                .iter()
                .position(|word| value == word)
                .ok_or_else(|| otherwise.clone())
        };
        let found = self.optional(
            name,
            about,
            &FieldParser::new(read, move || json!({ "type": "string", "enum": names })),
        )?;
        words.get(found).map(|(_, value)| value.clone())
    }

    /// `true` or `false`.
    pub(crate) fn flag(&mut self, name: &'static str, about: &'static str) -> Option<bool> {
        let read = |value: &Value| match value.as_str() {
            Some("true") => Ok(true),
            Some("false") => Ok(false),
            _ => Err("must be true or false.".to_owned()),
        };
        self.optional(
            name,
            about,
            &FieldParser::new(read, || json!({ "type": "boolean" })),
        )
    }

    /// A point in time.
    pub(crate) fn time(&mut self, name: &'static str, about: &'static str) -> Option<Timestamp> {
        self.parsed(name, about, Timestamp::parse)
    }
}

#[cfg(test)]
mod tests {
    use casting_core::form::whole;
    use casting_core::ids::CastId;
    use casting_core::testing::SeededEntropy;
    use casting_web::Body;

    use super::*;

    fn asked(query: &mut Query) -> (Option<u8>, Option<bool>, Option<CastId>, Option<u8>) {
        let few = query.optional("few", "A few.", &whole(1..=9));
        (
            few,
            query.flag("on", "On."),
            query.parsed("cast", "A cast.", CastId::parse),
            query.word("word", "A word.", &[("a", 1), ("b", 2)]),
        )
    }

    type Found = (Option<u8>, Option<bool>, Option<u8>);

    fn outcome(text: &str) -> Result<Found, String> {
        let request = http::Request::builder()
            .uri(format!("/x?{text}"))
            .body(Body::Empty)
            .expect("a request");
        let visit = RequestContext::parse(&request, &SeededEntropy::new(1));
        match read(&visit, asked) {
            Ok((few, on, _, word)) => Ok((few, on, word)),
            Err(HandlerError::Problem(problem)) => Err(problem.sentence().to_owned()),
            Err(error) => panic!("{error:?}"),
        }
    }

    #[test]
    fn invalid_query_parameters_are_named() {
        for (text, found) in [
            ("", Ok((None, None, None))),
            ("few=9&on=true&word=b", Ok((Some(9), Some(true), Some(2)))),
            ("few=10", Err("few")),
            ("few=+1", Err("few")),
            ("few=", Err("few")),
            ("on=yes", Err("on")),
            ("cast=x", Err("cast")),
            ("word=c", Err("word")),
            ("fwe=1", Err("fwe")),
            ("few=1&few=2", Err("few")),
        ] {
            match (outcome(text), found) {
                (Ok(read), Ok(expected)) => assert_eq!(read, expected, "{text}"),
                (Err(detail), Err(name)) => assert!(
                    detail.contains(&format!("\u{201c}{name}\u{201d}")),
                    "{text}: {detail}"
                ),
                (other, _) => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn parsed_parameters_match_the_documented_ones() {
        let parameters = json_schema(|query| _ = asked(query));
        assert_eq!(
            parameters
                .iter()
                .map(|parameter| parameter.name)
                .collect::<Vec<_>>(),
            ["few", "on", "cast", "word"]
        );
        assert_eq!(
            parameters[0].schema,
            json!({"type": "integer", "minimum": 1, "maximum": 9})
        );
        assert_eq!(
            parameters[3].schema,
            json!({"type": "string", "enum": ["a", "b"]})
        );
    }
}
