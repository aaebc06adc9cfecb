//! Owns the parts of a form: sections and fields, each with its label, its help and its kind. Must not know which resources there are, or how a
//! field is rendered or parsed.

/// The field table of one kind of record.
#[derive(Debug)]
pub struct Resource {
    /// What one of them is called.
    pub name: &'static str,
    /// Its fields, as a person thinks of them.
    pub sections: &'static [Section],
}

/// Fields that belong together.
#[derive(Debug)]
pub struct Section {
    /// For the page's own links.
    pub id: &'static str,
    /// In a few words.
    pub title: &'static str,
    /// One sentence.
    pub intro: &'static str,
    /// In the order of the page.
    pub fields: &'static [Field],
}

/// One field.
#[derive(Debug)]
pub struct Field {
    /// As the API names it; a dot leads into an object.
    pub name: &'static str,
    /// As people read it.
    pub label: &'static str,
    /// What it does, in plain sentences; may be empty where the label says it all.
    pub help: &'static str,
    /// How it is asked for.
    pub kind: Kind,
    /// The flag without which it does nothing; stands right before it, or before others of the same flag.
    pub under: Option<&'static str>,
    /// Whether a document without it is refused.
    pub required: bool,
    /// Whether it stays as it is once the thing is there.
    pub fixed: bool,
}

/// How a field is asked for, and so how it stands in the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One line of text.
    Line {
        /// What it means when nothing is typed.
        empty: Empty,
        /// An example.
        example: &'static str,
    },
    /// A text of several lines; empty is an empty text.
    Text,
    /// Yes or no.
    Flag,
    /// A whole number; empty is null.
    Number {
        /// The least.
        min: u64,
        /// The most.
        max: u64,
        /// What is counted, such as `seconds`.
        unit: &'static str,
    },
    /// A point in time in UTC; empty is null.
    Time,
    /// A list of texts, one on each line.
    Lines {
        /// An example.
        example: &'static str,
    },
    /// A list of words as they are, one on each line: no space is taken away. Words that hold line breaks make it a JSON list.
    Words {
        /// An example.
        example: &'static str,
    },
    /// One of these values, with how people read it; an empty value is null.
    Choice(&'static [(&'static str, &'static str)]),
    /// One of the existing records; empty is null when it is not required.
    Select(OptionSource),
    /// Any of the existing records.
    SelectMany(OptionSource),
    /// Any of these values, with how people read them.
    Ticks(&'static [(&'static str, &'static str)]),
    /// Allowed, forbidden, or left to others (null).
    Permission,
    /// `NAME=value` on each line, as an object. Values that hold line breaks make it a JSON object.
    Pairs {
        /// An example.
        example: &'static str,
    },
    /// An object in JSON; empty is an empty object.
    Json {
        /// An example.
        example: &'static str,
    },
    /// Can be set and is never shown. Nothing typed leaves it as it is. That it is set stands in the document under its name with `_is_set`.
    Secret,
    /// A weekly plan; without a single span it is null.
    OpenHours,
}

/// What it means when nothing is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Empty {
    /// Null.
    Null,
    /// An empty text.
    Text,
    /// Nothing is said: it stays as it is, or is made up.
    LeftOut,
}

/// The records that a field selects from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OptionSource {
    /// Images, by id.
    Image,
    /// Groups, by id.
    Group,
    /// Networks, by name.
    Network,
}

impl Field {
    /// A field of this kind.
    pub const fn new(
        name: &'static str,
        label: &'static str,
        kind: Kind,
        help: &'static str,
    ) -> Self {
        Self {
            name,
            label,
            help,
            kind,
            under: None,
            required: false,
            fixed: false,
        }
    }

    /// A flag.
    pub const fn flag(name: &'static str, label: &'static str, help: &'static str) -> Self {
        Self::new(name, label, Kind::Flag, help)
    }

    /// A number that may be left out.
    pub const fn number(
        name: &'static str,
        label: &'static str,
        range: (u64, u64),
        unit: &'static str,
        help: &'static str,
    ) -> Self {
        Self::new(
            name,
            label,
            Kind::Number {
                min: range.0,
                max: range.1,
                unit,
            },
            help,
        )
    }

    /// A line that may be null.
    pub const fn line(
        name: &'static str,
        label: &'static str,
        example: &'static str,
        help: &'static str,
    ) -> Self {
        Self::new(
            name,
            label,
            Kind::Line {
                empty: Empty::Null,
                example,
            },
            help,
        )
    }

    /// A list with an entry on each line.
    pub const fn lines(
        name: &'static str,
        label: &'static str,
        example: &'static str,
        help: &'static str,
    ) -> Self {
        Self::new(name, label, Kind::Lines { example }, help)
    }

    /// What it does depends on this flag.
    pub const fn under(self, flag: &'static str) -> Self {
        Self {
            under: Some(flag),
            ..self
        }
    }

    /// It must be there.
    pub const fn required(self) -> Self {
        Self {
            required: true,
            ..self
        }
    }

    /// It can be said once.
    pub const fn fixed(self) -> Self {
        Self {
            fixed: true,
            ..self
        }
    }

    /// The JSON pointer to it.
    pub fn pointer(&self) -> String {
        format!("/{}", self.name.replace('.', "/"))
    }
}

impl Resource {
    /// Every field, in the order of the page.
    pub fn fields(&self) -> impl Iterator<Item = &'static Field> + use<> {
        let sections = self.sections;
        sections.iter().flat_map(|section| section.fields)
    }

    /// The field that a pointer leads to or into, with what is left of the pointer.
    pub fn field_at<'a>(&self, pointer: &'a str) -> Option<(&'static Field, &'a str)> {
        let rest_of = |field: &Field| {
            let rest = pointer.strip_prefix(field.pointer().as_str())?;
            (rest.is_empty() || rest.starts_with('/')).then(|| rest.trim_start_matches('/'))
        };
        self.fields()
            .find_map(|field| rest_of(field).map(|rest| (field, rest)))
    }

    /// A sentence of the API, with the labels that people see instead of the names of fields.
    pub fn in_labels(&self, sentence: &str) -> String {
        let mut told = String::new();
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let mut rest = sentence;
        while !rest.is_empty() {
            let end = rest.find(|c| !is_name(c)).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            // Words without an underscore are English as often as they are names.
            match self
                .fields()
                .find(|field| word.contains('_') && field.name == word)
            {
                Some(field) => told.push_str(&format!("\u{201c}{}\u{201d}", field.label)),
                None => told.push_str(word),
            }
            let gap = after.find(is_name).unwrap_or(after.len());
            let (between, next) = after.split_at(gap);
            told.push_str(between);
            rest = next;
        }
        told
    }
}
