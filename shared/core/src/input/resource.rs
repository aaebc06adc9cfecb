//! Owns what the console's form of a record is made of: sections, labels, help and widgets. Must
//! not know which records there are, or how a form is drawn; the console draws it.

/// The form of one kind of record.
#[derive(Debug)]
pub struct Resource {
    /// What one of them is called.
    pub name: &'static str,
    /// Its fields, as a person thinks of them.
    pub sections: Vec<ResourceSection>,
}

/// Fields that belong together.
#[derive(Debug)]
pub struct ResourceSection {
    /// For the page's own links.
    pub id: &'static str,
    /// In a few words.
    pub title: &'static str,
    /// One sentence.
    pub intro: &'static str,
    /// In the order of the page.
    pub fields: Vec<FormField>,
}

/// One field of a form.
#[derive(Clone, Debug)]
pub struct FormField {
    /// As the API names it; a dot leads into an object.
    pub name: String,
    /// As people read it.
    pub label: &'static str,
    /// What it does, in plain sentences; may be empty where the label says it all.
    pub help: &'static str,
    /// How it is filled in.
    pub widget: Widget,
    /// An example of what can be typed; may be empty.
    pub example: &'static str,
    /// What a number counts, such as `seconds`; may be empty.
    pub unit: &'static str,
    /// The flag without which it does nothing; stands right before it, or before others of the same
    /// flag.
    pub under: Option<&'static str>,
    /// Whether a document without it is refused.
    pub required: bool,
    /// Whether it stays as it is once the record is there.
    pub fixed: bool,
}

/// How a field is filled in, and so how it stands in the document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Widget {
    /// One line of text, and what it means when nothing is typed.
    Line(Empty),
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
    },
    /// The CPU units of a task, chosen together with its memory among the sizes of Fargate.
    TaskCpu,
    /// The memory of a task, which stands in the choice of its CPU units.
    TaskMemory,
    /// A point in time in UTC; empty is null.
    Time,
    /// A list of texts, one on each line.
    Lines,
    /// A list of words as they are, one on each line: no space is taken away. Words that hold line
    /// breaks make it a JSON list.
    Words,
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
    Pairs,
    /// An object in JSON; empty is an empty object.
    Json,
    /// Can be set and is never shown. Nothing typed leaves it as it is. That it is set stands in
    /// the document under its name with `_is_set`.
    Secret,
    /// A weekly plan; without a single span it is null.
    OpenHours,
    /// A list of access tiers, in their order.
    AccessTiers,
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

impl FormField {
    /// The JSON pointer to it.
    pub fn pointer(&self) -> String {
        format!("/{}", self.name.replace('.', "/"))
    }
}

impl Resource {
    /// Every field, in the order of the page.
    pub fn fields(&self) -> impl Iterator<Item = &FormField> {
        self.sections.iter().flat_map(|section| &section.fields)
    }

    /// The field that a pointer leads to or into, with what is left of the pointer.
    pub fn field_at<'a>(&self, pointer: &'a str) -> Option<(&FormField, &'a str)> {
        let rest_of = |field: &FormField| {
            let rest = pointer.strip_prefix(field.pointer().as_str())?;
            (rest.is_empty() || rest.starts_with('/')).then(|| rest.trim_start_matches('/'))
        };
        self.fields()
            .find_map(|field| rest_of(field).map(|rest| (field, rest)))
    }

    /// A sentence of the API, with the labels that people see instead of the names of fields.
    pub fn in_labels(&self, sentence: &str) -> String {
        let mut text = String::new();
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
                Some(field) => text.push_str(&format!("\u{201c}{}\u{201d}", field.label)),
                None => text.push_str(word),
            }
            let gap = after.find(is_name).unwrap_or(after.len());
            let (between, next) = after.split_at(gap);
            text.push_str(between);
            rest = next;
        }
        text
    }
}
