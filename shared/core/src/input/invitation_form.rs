//! Owns how invitations are written and read over the API: several are made by one document, which
//! names the guests and what they have in common. Must not know the store or HTTP.

use std::sync::LazyLock;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::field::{self, FieldTable};
use crate::form::{FieldErrors, FieldParser, Form, TextType, formatted, line, parsed, whole};
use crate::group_form;
use crate::ids::{CastId, GroupId, InvitationId};
use crate::invitation::{Invitation, InvitationSettings, InvitationState};
use crate::json_schema::{self, SchemaBuilder};
use crate::network::NetworkName;
use crate::quota::Tally;
use crate::read_only::{self, ReadOnlyField};
use crate::resource::{OptionSource, Resource, Widget};
use crate::text_format;
use crate::time::Timestamp;
use crate::url_rules;

/// How many guests one document may name.
pub const MAX_GUESTS: usize = 500;
/// How many sessions one invitation may be good for.
const MAX_USES: u64 = 10_000;
/// The longest activation time-out, in minutes (30 days).
const MAX_ACTIVATION_MINUTES: u64 = 43_200;
/// The most characters of a name or a label.
const LINE: usize = 100;

/// One who is invited.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Guest {
    /// What they are called.
    pub name: String,
    /// What they have in common with some of the others; `None`: the label of all.
    pub label: Option<String>,
}

/// Invitations to be made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InvitationsDraft {
    /// Who is invited.
    pub guests: Vec<Guest>,
    /// What all have in common; without a name.
    pub settings: InvitationSettings,
}

impl InvitationsDraft {
    /// What each guest's invitation says.
    pub fn each(self) -> impl Iterator<Item = InvitationSettings> {
        let Self { guests, settings } = self;
        guests.into_iter().map(move |guest| InvitationSettings {
            name: guest.name,
            label: guest.label.unwrap_or_else(|| settings.label.clone()),
            ..settings.clone()
        })
    }
}

type Field = field::Field<InvitationsDraft>;
type Section = field::Section<InvitationsDraft>;

static FIELDS: LazyLock<FieldTable<InvitationsDraft>> =
    LazyLock::new(|| FieldTable::new("invitations", vec![guests(), parameters()]));

fn guests() -> Section {
    Section {
        id: "guests",
        title: "Guests",
        intro: "Each guest gets an address of their own. Sessions and claims say whose invitation \
                it was.",
        fields: vec![
            Field::list_of("guests", 1..=MAX_GUESTS, guest(), |draft| &mut draft.guests)
                .label("Names")
                .help(
                    "One guest on each line, or lines of a CSV file: the name and, if wanted, a \
                     label after a comma. Up to 500.",
                )
                .example("Ann Smith\nBen Jones, Class 7b")
                .doc("Who is invited: each gets an invitation, in this order."),
            label()
                .help("What the guests have in common, for those without a label of their own.")
                .doc("The label of guests who have none of their own; empty is none."),
            uses()
                .label("Sessions each")
                .doc("How many sessions each is good for."),
            expires_at(),
            Field::nullable(
                "activation_minutes",
                whole(1..=MAX_ACTIVATION_MINUTES),
                |draft| &mut draft.settings.activation_minutes,
            )
            .label("Activation time-out")
            .help(
                "For how long it gives new sessions after its page was first opened in a browser. \
                 Empty: as long as it has not expired.",
            )
            .unit("minutes")
            .doc(
                "For how many minutes it gives sessions once it was opened: by its page in a \
                 browser, or by a claim. Null is without end.",
            ),
        ],
    }
}

fn label() -> Field {
    Field::defaulted("label", String::new(), line(0..=LINE), |draft| {
        &mut draft.settings.label
    })
    .label("Label")
    .example("Class 7b")
}

fn uses() -> Field {
    Field::defaulted("uses", 1, whole(1..=MAX_USES), |draft| {
        &mut draft.settings.uses
    })
    .help("How many sessions one invitation is good for. A failed start is given back.")
    .unit("sessions")
}

fn expires_at() -> Field {
    Field::time("expires_at", |draft| &mut draft.settings.expires_at)
        .label("Expires")
        .help("From this time on it gives no new sessions. Empty: never.")
        .doc("From this time on it gives no new sessions; null is never.")
}

/// What can be changed of an invitation that was made.
static CHANGE: LazyLock<FieldTable<InvitationsDraft>> = LazyLock::new(|| {
    let section = Section {
        id: "invitation",
        title: "The invitation",
        intro: "Its address stays. What it opens and where it runs cannot be changed: make \
                another one.",
        fields: vec![
            Field::required("name", line(1..=LINE), |draft| &mut draft.settings.name)
                .label("Name")
                .doc("Who is invited; only with one invitation."),
            label()
                .help("What the guest has in common with others.")
                .doc("What several have in common; empty is none."),
            uses()
                .label("Sessions")
                .doc("How many sessions it is good for, with those that it has given."),
            expires_at(),
        ],
    };
    FieldTable::new("invitation", vec![section])
});

/// Reads a change of an invitation that was made: what is not named stays.
///
/// # Errors
/// Every mistake in the document.
pub fn change(
    settings: &InvitationSettings,
    input: &Value,
) -> Result<InvitationSettings, FieldErrors> {
    let mut form = Form::change(change_view(settings), input, &[])?;
    let read = CHANGE.read(&mut form).settings;
    form.finish()?;
    Ok(InvitationSettings {
        name: read.name,
        label: read.label,
        uses: read.uses,
        expires_at: read.expires_at,
        ..settings.clone()
    })
}

/// What can be changed, as an administrator would write it.
pub fn change_view(settings: &InvitationSettings) -> Map<String, Value> {
    CHANGE.view(&mut InvitationsDraft {
        guests: Vec::new(),
        settings: settings.clone(),
    })
}

/// The JSON Schema of a change.
pub fn change_schema() -> Value {
    SchemaBuilder::of(|form| _ = CHANGE.read(form))
        .described(&CHANGE.docs())
        .schemas(&[])
        .change
}

/// The console's form of an invitation that was made.
pub fn change_resource() -> &'static Resource {
    CHANGE.resource()
}

fn parameters() -> Section {
    Section {
        id: "gets",
        title: "What they get",
        intro: "In place of what the link and its image say. Every limit of the link still \
                applies.",
        fields: vec![
            Field::nullable(
                "kasm_url",
                formatted(|| &text_format::SESSION_URL, url_rules::session_url),
                |draft| &mut draft.settings.kasm_url,
            )
            .label("Kasm URL")
            .help("What the sessions open. Empty: what the link opens.")
            .example("https://example.com/welcome")
            .doc("The address that its sessions open; null is the link's own."),
            Field::nullable("docker_network", parsed(read_network), |draft| {
                &mut draft.settings.network
            })
            .label("Network")
            .help("Where the sessions run. Empty: where the image says.")
            .widget(Widget::Select(OptionSource::Network))
            .doc("The network in which its sessions run; null is the image's own."),
            Field::nullable("session_time_limit_seconds", whole(60..=604_800), |draft| {
                &mut draft.settings.session_time_limit_seconds
            })
            .label("Session time limit")
            .help(
                "The smallest limit of invitation, image, groups and link applies. Empty: no \
                 limit.",
            )
            .unit("seconds")
            .doc("How long its sessions may live; the smallest limit that is set applies."),
            Field::nullable("group_id", parsed(group_form::read_id), |draft| {
                &mut draft.settings.group_id
            })
            .label("Group")
            .help("The guests are in this group too; its permissions and limits apply to them.")
            .widget(Widget::Select(OptionSource::Group))
            .doc("A group that its visitors are in besides their others."),
        ],
    }
}

/// A guest: an object with a name, and a label if wanted.
fn guest() -> FieldParser<Guest> {
    let (name, label) = (line(1..=LINE), line(0..=LINE));
    let read = move |value: &Value| {
        let fields = value.as_object().ok_or("must be an object with a name.")?;
        if let Some(stray) = fields
            .keys()
            .find(|key| !["name", "label"].contains(&key.as_str()))
        {
            return Err(format!("must not have a field \u{201c}{stray}\u{201d}."));
        }
        let named = fields.get("name").ok_or("must have a name.")?;
        let said = fields.get("label").filter(|label| !label.is_null());
        Ok(Guest {
            name: name(named).map_err(|detail| format!("has a name that {detail}"))?,
            label: said
                .map(|said| label(said).map_err(|detail| format!("has a label that {detail}")))
                .transpose()?,
        })
    };
    let schema = || {
        let (name, label) = (line(1..=LINE).schema_of(), line(0..=LINE).schema_of());
        json!({
            "type": "object", "required": ["name"], "additionalProperties": false,
            "properties": { "name": name, "label": json_schema::nullable(label) },
        })
    };
    FieldParser::new(read, schema)
}

fn read_network(text: &str) -> Result<NetworkName, String> {
    NetworkName::parse(text).ok_or_else(|| "is not the name of a network.".to_owned())
}

/// Reads invitations to be made.
///
/// # Errors
/// Every mistake in the document.
pub fn create(input: &Value) -> Result<InvitationsDraft, FieldErrors> {
    read(&mut Form::over(Map::new(), input, &[])?)
}

fn read(form: &mut Form) -> Result<InvitationsDraft, FieldErrors> {
    let draft = FIELDS.read(form);
    form.finish()?;
    Ok(draft)
}

fn schema_builder() -> SchemaBuilder {
    SchemaBuilder::of(|form| _ = read(form)).described(&FIELDS.docs())
}

/// The JSON Schema of invitations to be made.
pub fn new_schema() -> Value {
    schema_builder().whole()
}

/// The console's form of new invitations.
pub fn resource() -> &'static Resource {
    FIELDS.resource()
}

/// What new invitations are where their document says nothing.
pub fn defaults() -> Value {
    schema_builder().defaults()
}

/// An invitation in a response.
#[derive(Clone, Debug)]
pub struct ShownInvitation {
    /// As it is stored.
    pub invitation: Invitation,
    /// What the count of its uses says.
    pub tally: Tally,
    /// Its address.
    pub url: String,
    /// When it was read.
    pub now: Timestamp,
}

impl ShownInvitation {
    /// Where it stands.
    pub fn state(&self) -> InvitationState {
        self.invitation.state(self.tally, self.now)
    }

    /// From when on it gives no new sessions, as far as that is known.
    pub fn ends_at(&self) -> Option<Timestamp> {
        self.invitation.ends_at(self.tally.opened_at)
    }
}

static READ_ONLY: LazyLock<Vec<ReadOnlyField<ShownInvitation>>> = LazyLock::new(|| {
    type Field = ReadOnlyField<ShownInvitation>;
    let text = || json!({ "type": "string" });
    let text_or_null = || json!({ "type": ["string", "null"] });
    let count = |about: &str| json!({ "type": "integer", "minimum": 0, "description": about });
    let number_or_null = || json!({ "type": ["integer", "null"], "minimum": 1 });
    let about = |mut schema: Value, about: &str| {
        schema["description"] = json!(about);
        schema
    };
    let states = InvitationState::ALL.map(InvitationState::as_str);
    let url = json!({
        "type": "string", "format": "uri",
        "description": "Its address. It works for anyone who has it.",
    });
    let ends = "From when on it gives no new sessions, by its date or its activation time-out.";
    vec![
        Field::id(InvitationId::SYNTAX.schema(), |shown| {
            json!(shown.invitation.id)
        }),
        Field::new("cast_id", CastId::SYNTAX.schema(), |shown| {
            json!(shown.invitation.cast_id)
        }),
        Field::new("url", url, |shown| json!(shown.url)),
        Field::new("name", text(), |shown| {
            json!(shown.invitation.settings.name)
        }),
        Field::new("label", text(), |shown| {
            json!(shown.invitation.settings.label)
        }),
        Field::new(
            "state",
            json!({ "type": "string", "enum": states }),
            |shown| json!(shown.state().as_str()),
        ),
        Field::new(
            "uses",
            count("How many sessions it is good for."),
            |shown| json!(shown.invitation.settings.uses),
        ),
        Field::new("used", count("How many it has given."), |shown| {
            json!(shown.tally.taken)
        }),
        Field::time_or_null("expires_at", |shown| shown.invitation.settings.expires_at),
        Field::new("activation_minutes", number_or_null(), |shown| {
            json!(shown.invitation.settings.activation_minutes)
        }),
        Field::new(
            "opened_at",
            about(
                json_schema::nullable(json_schema::time()),
                "When its activation time-out began; null without one.",
            ),
            |shown| json!(shown.tally.opened_at.map(|at| at.to_string())),
        ),
        Field::new(
            "ends_at",
            about(json_schema::nullable(json_schema::time()), ends),
            |shown| json!(shown.ends_at().map(|at| at.to_string())),
        ),
        Field::new("kasm_url", text_or_null(), |shown| {
            json!(shown.invitation.settings.kasm_url)
        }),
        Field::new("docker_network", text_or_null(), |shown| {
            json!(shown.invitation.settings.network)
        }),
        Field::new("session_time_limit_seconds", number_or_null(), |shown| {
            json!(shown.invitation.settings.session_time_limit_seconds)
        }),
        Field::new(
            "group_id",
            json_schema::nullable(GroupId::SYNTAX.schema()),
            |shown| json!(shown.invitation.settings.group_id),
        ),
        Field::time("created_at", |shown| shown.invitation.created_at),
        Field::time_or_null("revoked_at", |shown| shown.invitation.revoked_at),
    ]
});

/// The invitation as the API shows it.
pub fn view(shown: &ShownInvitation) -> Value {
    read_only::view(&READ_ONLY, shown, Map::new())
}

/// The JSON Schema of [`view`].
pub fn schema() -> Value {
    json_schema::object(read_only::schemas(&READ_ONLY).into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{NOON, invitation};

    #[test]
    fn each_field_of_an_invitation_is_validated() {
        let one = json!([{"name": "Ann"}]);
        for (name, input, wrong) in [
            ("a name is enough", json!({"guests": one}), vec![]),
            ("nobody", json!({}), vec!["/guests"]),
            ("an empty list", json!({"guests": []}), vec!["/guests"]),
            (
                "a guest without a name",
                json!({"guests": [{"name": "Ann"}, {"label": "x"}]}),
                vec!["/guests/1"],
            ),
            ("a bare name", json!({"guests": ["Ann"]}), vec!["/guests/0"]),
            (
                "an empty name",
                json!({"guests": [{"name": " "}]}),
                vec!["/guests/0"],
            ),
            (
                "another field of a guest",
                json!({"guests": [{"name": "Ann", "mail": "a@b.example"}]}),
                vec!["/guests/0"],
            ),
            (
                "too many guests",
                json!({"guests": vec![json!({"name": "x"}); MAX_GUESTS + 1]}),
                vec!["/guests"],
            ),
            (
                "all of it",
                json!({"guests": [{"name": "Ann", "label": null}], "label": "7b", "uses": 3,
                    "expires_at": "2026-12-31T18:00:00Z", "activation_minutes": 30,
                    "kasm_url": "example.com", "docker_network": "lab",
                    "session_time_limit_seconds": 600, "group_id": format!("g{}", "a".repeat(26))}),
                vec![],
            ),
            ("no use", json!({"guests": one, "uses": 0}), vec!["/uses"]),
            (
                "no time at all",
                json!({"guests": one, "activation_minutes": 0}),
                vec!["/activation_minutes"],
            ),
            (
                "no address",
                json!({"guests": one, "kasm_url": "javascript:x"}),
                vec!["/kasm_url"],
            ),
            (
                "no group",
                json!({"guests": one, "group_id": "staff"}),
                vec!["/group_id"],
            ),
            (
                "another field",
                json!({"guests": one, "key": "x"}),
                vec!["/key"],
            ),
        ] {
            let errors = create(&input).err().map(|errors| errors.0);
            let found: Vec<_> = errors
                .into_iter()
                .flatten()
                .map(|error| error.pointer)
                .collect();
            assert_eq!(found, wrong, "{name}");
        }
    }

    #[test]
    fn change_of_an_invitation_is_validated() {
        let before = invitation(1).settings;
        let changed = change(&before, &json!({"uses": 5, "expires_at": null})).expect("is right");
        let expected = InvitationSettings {
            uses: 5,
            expires_at: None,
            ..before.clone()
        };
        assert_eq!(changed, expected, "what is not named stays");
        for (name, input, wrong) in [
            ("an empty name", json!({"name": " "}), "/name"),
            ("no use", json!({"uses": 0}), "/uses"),
            ("no time", json!({"expires_at": "soon"}), "/expires_at"),
            (
                "what cannot be changed",
                json!({"kasm_url": null}),
                "/kasm_url",
            ),
        ] {
            let errors = change(&before, &input).expect_err(name).0;
            let found: Vec<_> = errors.iter().map(|error| error.pointer.as_str()).collect();
            assert_eq!(found, [wrong], "{name}");
        }
    }

    #[test]
    fn guest_has_own_label_or_that_of_all() {
        let input = json!({"label": "all", "guests": [
            {"name": "Ann"}, {"name": "Ben", "label": "own"}, {"name": "Cy", "label": ""},
        ]});
        let draft = create(&input).expect("is right");
        let labels: Vec<_> = draft.each().map(|one| (one.name, one.label)).collect();
        let expected = [("Ann", "all"), ("Ben", "own"), ("Cy", "")];
        let expected = expected.map(|(name, label)| (name.to_owned(), label.to_owned()));
        assert_eq!(labels, expected);
    }

    #[test]
    fn shown_invitation_has_its_address_and_state() {
        let shown = ShownInvitation {
            invitation: invitation(1),
            tally: Tally {
                taken: 1,
                opened_at: None,
            },
            url: "https://cast.example.com/cast/x".into(),
            now: NOON,
        };
        let view = view(&shown);
        assert_eq!(view["state"], "used");
        assert_eq!((&view["uses"], &view["used"]), (&json!(1), &json!(1)));
        assert_eq!(view["url"], "https://cast.example.com/cast/x");
        assert!(jsonschema_like(&view), "every field of the schema is there");
    }

    fn jsonschema_like(view: &Value) -> bool {
        let required = schema()["required"].clone();
        let names = required.as_array().expect("names").clone();
        names
            .iter()
            .all(|name| view.get(name.as_str().expect("a name")).is_some())
    }
}
