//! Owns the fields of a cast: what the link is, who may come in, how many, what they get, where
//! they land, how it looks. Must not know what holds between fields (see `rules`).

use std::sync::LazyLock;

use super::{MAX_REFERRERS, MAX_SESSIONS, read_key};
use crate::address_rules::AddressRule;
use crate::admission_hook::{MOST_MILLIS, USUAL_MILLIS, Unanswered};
use crate::cast::{
    AnonymousResume, Cast, CastSettings, CountBy, KeptIpLimit, LinkLanguage, StartOnClick,
};
use crate::field::{self, FieldTable};
use crate::form::{formatted, line, parsed, whole};
use crate::permission::ClientSettings;
use crate::referrer::ReferrerRule;
use crate::resource::{OptionSource, Widget};
use crate::session_options::Extension;
use crate::settings_form::{MAX_ADDRESSES, MAX_CENTS};
use crate::text_format;
use crate::url_rules::{self, OwnUrls};
use crate::{
    access_tier_form, brand_form, client_form, group_form, hook_form, image_form, open_hours_form,
};

/// The longest notice above a session, in characters: two lines of a phone.
const NOTICE_CHARS: usize = 120;

/// A cast as its document has it: each switch beside what it switches, also while it is off.
#[derive(Debug, Default)]
pub(super) struct CastFields {
    /// What the other members say is not set here until the rules have judged it.
    pub(super) settings: CastSettings,
    pub(super) sessions_remaining: Option<u64>,
    pub(super) limit_requests_per_ip: bool,
    pub(super) ip_limit: KeptIpLimit,
    pub(super) enforce_client_settings: bool,
    pub(super) client_settings: ClientSettings,
}

impl From<&Cast> for CastFields {
    fn from(cast: &Cast) -> Self {
        let settings = cast.settings.clone();
        let enforced = settings.enforced_client_settings.clone();
        Self {
            sessions_remaining: cast.sessions_remaining(),
            limit_requests_per_ip: settings.ip_limit.is_some(),
            ip_limit: KeptIpLimit::of(&settings),
            enforce_client_settings: enforced.is_some(),
            client_settings: enforced
                .or_else(|| settings.kept_client_settings.clone())
                .unwrap_or_default(),
            settings,
        }
    }
}

type Field = field::Field<CastFields>;
type Section = field::Section<CastFields>;

/// The fields of a cast, in the order of the console's form.
pub(super) static FIELDS: LazyLock<FieldTable<CastFields>> = LazyLock::new(|| {
    let sections = vec![
        link(),
        access(),
        access_tiers(),
        limits(),
        resources(),
        destination(),
        appearance(),
        brand(),
        hook(),
        admission_hook(),
    ];
    FieldTable::new("cast", sections)
});

fn link() -> Section {
    Section {
        id: "link",
        title: "The link",
        intro: "Name, address and image.",
        fields: vec![
            Field::required("name", line(1..=100), |cast| &mut cast.settings.name)
                .label("Name")
                .help("Only administrators see it.")
                .example("Trial desktop")
                .doc("What administrators call the link."),
            Field::required("key", parsed(read_key), |cast| &mut cast.settings.key)
                .label("URL Key")
                .help(
                    "The end of the link: /cast/ and this. 6 to 64 letters, digits, hyphens and \
                     underscores. Leave it empty to generate a random key.",
                )
                .generated()
                .example("generated automatically")
                .doc("The public part of the link. Generated at random when it is left out."),
            Field::required("image_id", parsed(image_form::read_id), |cast| {
                &mut cast.settings.image_id
            })
            .label("Image")
            .help("What each session runs. Visitors see its name.")
            .widget(Widget::Select(OptionSource::Image))
            .doc("What a session runs."),
            Field::flag("enabled", true, |cast| &mut cast.settings.enabled)
                .label("Enabled")
                .help(
                    "When disabled, the link looks as if it did not exist. Running sessions \
                     continue.",
                )
                .doc(
                    "A disabled link looks as if it did not exist, except to users who resume \
                     their own session.",
                ),
            Field::description(|cast| &mut cast.settings.description),
        ],
    }
}

fn access() -> Section {
    Section {
        id: "who",
        title: "Access",
        intro: "Anyone with the link has access unless you restrict it here.",
        fields: vec![
            Field::flag("allow_anonymous", false, |cast| {
                &mut cast.settings.allow_anonymous
            })
            .label("Allow Anonymous")
            .help(
                "Visitors need no account; each request gets an anonymous user that is \
                 forgotten later. When off, visitors must sign in.",
            )
            .doc("Whether visitors need no login."),
            Field::flag("require_captcha", false, |cast| {
                &mut cast.settings.require_captcha
            })
            .label("Require reCAPTCHA")
            .help("Anonymous visitors must pass a CAPTCHA. Choose the provider in Settings.")
            .under("allow_anonymous")
            .doc("Whether anonymous visitors must show that they are a person."),
            Field::nullable(
                "anonymous_user_group_id",
                parsed(group_form::read_id),
                |cast| &mut cast.settings.anonymous_group_id,
            )
            .label("Anonymous User Group")
            .help(
                "Anonymous users belong to All Users and to this group; its permissions and \
                 limits apply to them.",
            )
            .widget(Widget::Select(OptionSource::Group))
            .under("allow_anonymous")
            .doc("The group that anonymous visitors are in besides All Users."),
            Field::flag("invitation_required", false, |cast| {
                &mut cast.settings.invitation_required
            })
            .label("By invitation only")
            .help(
                "Only visitors with an invitation to this link get sessions. Make invitations on \
                 the page of the cast.",
            )
            .doc(
                "Whether only visitors with an invitation get sessions. An invitation works on \
                 every link that it was made for, whether one is required or not.",
            ),
            Field::list(
                "restrict_to_referrers",
                MAX_REFERRERS,
                ReferrerRule::parse,
                |cast| &mut cast.settings.referrers,
            )
            .label("Restrict to Referrers")
            .help(
                "Only visitors who click the link on one of these sites get in, and only \
                 these sites may embed it. One domain per line: acme.com includes its \
                 subdomains, =acme.com means only that host, *.acme.com only its subdomains. \
                 Empty: every site.",
            )
            .example("acme.com\n=shop.example.com")
            .doc(
                "The sites whose visitors are accepted; empty accepts all. `acme.com` \
                 is it and its subdomains, `=acme.com` only it, `*.acme.com` only its \
                 subdomains.",
            ),
            Field::list(
                "allowed_addresses",
                MAX_ADDRESSES,
                AddressRule::parse,
                |cast| &mut cast.settings.allowed_addresses,
            )
            .label("Allowed Addresses")
            .help(
                "Only visitors from these addresses or blocks get in. One per line; text \
                 after it is a note. Empty: every address.",
            )
            .example("192.0.2.0/24 Office")
            .doc("The only addresses that may come; empty is all."),
            Field::list(
                "banned_addresses",
                MAX_ADDRESSES,
                AddressRule::parse,
                |cast| &mut cast.settings.banned_addresses,
            )
            .label("Banned Addresses")
            .help(
                "Visitors from these addresses are refused and see the text after the \
                 address.",
            )
            .example("198.51.100.7 Bot")
            .doc("Addresses that may not come."),
            Field::time("valid_until", |cast| &mut cast.settings.valid_until)
                .label("Valid Until")
                .help("The link expires at this time. Empty: never.")
                .doc(
                    "From this time on the link gives no new sessions; null is for ever. Without \
                     an offset the time is in UTC.",
                ),
            open_hours_form::field("open_hours", |cast: &mut CastFields| {
                &mut cast.settings.open_hours
            })
            .label("Open Hours")
            .help(
                "When in the week the link is open. An end before the start continues into \
                 the next day. Empty: always.",
            )
            .doc("When in the week the link gives sessions; null is always."),
        ],
    }
}

fn access_tiers() -> Section {
    Section {
        id: "tiers",
        title: "Access tiers",
        intro: "What visitors get by what they have shown of themselves: nothing, a CAPTCHA, a login \
                or an invitation. Without tiers all get the same.",
        fields: vec![
            access_tier_form::field("access_tiers", |cast: &mut CastFields| {
                &mut cast.settings.access_tiers
            })
            .label("Access tiers")
            .help(
                "The first tier whose conditions all hold decides. Visitors who fit no tier are \
                 refused. A tier that names no network, group or time limit gives what the link \
                 gives. Tiers come after all other rules of access, and before limits.",
            )
            .doc(
                "What visitors get by what they have shown and where they come from: the first tier that \
                 fits decides, and visitors who fit none are refused; empty is the same for all. A change \
                 replaces the list. What is not known of an address fits only a list with the word \
                 unknown.",
            ),
        ],
    }
}

fn limits() -> Section {
    Section {
        id: "many",
        title: "Limits",
        intro: "Limits are exact, no matter how many people click at the same time. A session \
                that fails to start is refunded.",
        fields: vec![
            Field::flag("limit_total_sessions", false, |cast| {
                &mut cast.settings.limit_total_sessions
            })
            .label("Limit Total Session")
            .help("The link serves a fixed number of sessions.")
            .doc("Whether the link gives a limited number of sessions."),
            Field::nullable("sessions_remaining", whole(0..=MAX_SESSIONS), |cast| {
                &mut cast.sessions_remaining
            })
            .label("Sessions Remaining")
            .help(
                "How many sessions are left. At zero, visitors read that all are taken. A \
                 new number holds within 5 seconds.",
            )
            .unit("sessions")
            .under("limit_total_sessions")
            .doc(
                "How many sessions the link still gives; required while \
                 `limit_total_sessions` is on, and kept while it is off. While it is on, \
                 another number is set only with If-Match, over the number that was read: \
                 every claim moves it. A new number holds within 5 seconds. See \
                 `sessions_remaining_add`.",
            ),
            Field::flag("limit_requests_per_ip", false, |cast| {
                &mut cast.limit_requests_per_ip
            })
            .label("Limit Requests Per IP")
            .help("Limits how many sessions one network address gets in a given period.")
            .doc("Whether one address gets a limited number of sessions in a given time."),
            Field::nullable("sessions_allowed", whole(1..=1000), |cast| {
                &mut cast.ip_limit.sessions
            })
            .label("Sessions Allowed")
            .help("The number of sessions \u{2026}")
            .unit("sessions")
            .under("limit_requests_per_ip")
            .doc("How many; required while `limit_requests_per_ip` is on."),
            Field::nullable("within_seconds", whole(1..=2_592_000), |cast| {
                &mut cast.ip_limit.within_seconds
            })
            .label("Within Seconds")
            .help("\u{2026} within any period of this length.")
            .unit("seconds")
            .under("limit_requests_per_ip")
            .doc("In which time; required while `limit_requests_per_ip` is on."),
            Field::defaulted(
                "limit_requests_by",
                CountBy::Address,
                parsed(CountBy::parse),
                |cast| &mut cast.ip_limit.by,
            )
            .label("Count by")
            .help(
                "Whether everyone behind one address shares the limit, or each browser has \
                 its own.",
            )
            .widget(Widget::Choice(&[
                ("address", "Address"),
                ("browser", "Address and browser"),
            ]))
            .under("limit_requests_per_ip")
            .doc("What is counted: addresses, or browsers at an address."),
            Field::list(
                "limit_exempt_addresses",
                MAX_ADDRESSES,
                AddressRule::parse,
                |cast| &mut cast.ip_limit.exempt,
            )
            .label("Exempt Addresses")
            .help("Addresses or blocks to which this limit does not apply.")
            .example("192.0.2.0/24 Classroom")
            .under("limit_requests_per_ip")
            .doc("Addresses and blocks that are not counted, each with a label if wanted."),
            Field::nullable("max_live_sessions", whole(0..=MAX_SESSIONS), |cast| {
                &mut cast.settings.max_live_sessions
            })
            .label("Sessions at once")
            .help("How many sessions of this link may run at the same time. Empty: no limit.")
            .unit("sessions")
            .doc("How many sessions of this link may live at once; null is no limit."),
            Field::nullable(
                "budget_per_hour_cents",
                whole(1..=u64::from(MAX_CENTS)),
                |cast| &mut cast.settings.budget_per_hour_cents,
            )
            .label("Budget of an hour")
            .help(
                "What the sessions of this link claimed in a clock hour may cost together, by the \
                 list price of the image. Each counts with the most that it can cost until it has \
                 ended. Then the link is closed until the hour is over. Empty: no limit.",
            )
            .unit("cents")
            .doc(
                "What the sessions claimed in one clock hour may cost together, in US cents; null \
                 is no limit.",
            ),
            Field::nullable(
                "budget_per_day_cents",
                whole(1..=u64::from(MAX_CENTS)),
                |cast| &mut cast.settings.budget_per_day_cents,
            )
            .label("Budget of a day")
            .help("The same of a day, which ends at midnight UTC.")
            .unit("cents")
            .doc("The same of one day (UTC)."),
            Field::nullable(
                "budget_per_month_cents",
                whole(1..=u64::from(MAX_CENTS)),
                |cast| &mut cast.settings.budget_per_month_cents,
            )
            .label("Budget of a month")
            .help("The same of a calendar month (UTC).")
            .unit("cents")
            .doc("The same of one calendar month (UTC)."),
            Field::nullable(
                "budget_in_all_cents",
                whole(1..=u64::from(MAX_CENTS)),
                |cast| &mut cast.settings.budget_in_all_cents,
            )
            .label("Budget in all")
            .help(
                "The same of all sessions since it was first set. Raise it to open the link again.",
            )
            .unit("cents")
            .doc(
                "The same of all sessions that are claimed while it is set; what they have cost \
                 stays counted when it is changed.",
            ),
            Field::flag("waiting_room", false, |cast| {
                &mut cast.settings.waiting_room
            })
            .label("Waiting Room")
            .help(
                "When the link is full, visitors wait in a queue, first come, first served, \
                 and get in automatically. Up to 200 can wait.",
            )
            .doc(
                "Whether visitors who find every place taken wait in line instead of being \
                 refused.",
            ),
            Field::defaulted(
                "start_on_click",
                StartOnClick::Auto,
                parsed(StartOnClick::parse),
                |cast| &mut cast.settings.start_on_click,
            )
            .label("Start on a click only")
            .help(
                "Programs that look at links in mails can start sessions. A click keeps most of \
                 them from it.",
            )
            .widget(Widget::Choice(&[
                ("auto", "When one session remains"),
                ("always", "Always"),
                ("never", "Never: the page starts by itself"),
            ]))
            .doc(
                "Whether a session starts only when the visitor presses the button: `auto` is \
                 while one session remains of `limit_total_sessions`.",
            ),
            Field::flag("allow_resume", false, |cast| {
                &mut cast.settings.allow_resume
            })
            .label("Allow Resume")
            .help(
                "Signed-in visitors return to their running session of this link, even when \
                 the link is sold out, closed or disabled. Resuming does not count as a \
                 session.",
            )
            .doc(
                "Whether users who have logged in get back into their own running session, \
                 whatever limits and hours say.",
            ),
            Field::defaulted(
                "anonymous_resume",
                AnonymousResume::Ask,
                parsed(AnonymousResume::parse),
                |cast| &mut cast.settings.anonymous_resume,
            )
            .label("Resume without an account")
            .help(
                "What anonymous visitors find who open the link again while their session runs, \
                 in the same browser. Choose Off for computers that people share.",
            )
            .widget(Widget::Choice(&[
                ("off", "Off: a new session"),
                ("ask", "Ask: go back, or start another"),
                ("always", "Always: their session"),
            ]))
            .under("allow_anonymous")
            .doc(
                "Whether an anonymous visitor\u{2019}s browser gets back into its own running \
                 session of this link.",
            ),
        ],
    }
}

fn resources() -> Section {
    Section {
        id: "what",
        title: "Resources",
        intro: "Permissions inside a session. By default, groups decide.",
        fields: vec![
            Field::flag("allow_dynamic_docker_network", false, |cast| {
                &mut cast.settings.dynamic_docker_network
            })
            .label("Allow Dynamic Docker Network URL Parameter")
            .help(
                "Visitors may choose a network with ?docker_network=. The image must have \
                 Allow Network Selection enabled.",
            )
            .doc("Whether the link's address may name the network that a session runs in."),
            Field::flag("enforce_client_settings", false, |cast| {
                &mut cast.enforce_client_settings
            })
            .label("Enforce client settings")
            .help("These settings override every group.")
            .doc("Whether `client_settings` win over those of groups."),
            Field::object("client_settings", client_form::fields(), |cast| {
                &mut cast.client_settings
            })
            .under("enforce_client_settings")
            .doc("What a session is allowed; a change replaces the whole object."),
            Field::defaulted("extensions_allowed", 0, whole(0..=20), |cast| {
                &mut cast.settings.extension.times
            })
            .label("Extensions Allowed")
            .help(
                "How often the owner of a session may extend it, beyond every time limit. 0: not \
                 at all.",
            )
            .unit("times")
            .doc(
                "How often the owner of a session may extend it beyond its time limit; 0 is not \
                 at all. A budget counts each session with all of its extensions.",
            ),
            Field::defaulted(
                "extension_minutes",
                Extension::default().minutes,
                whole(1..=1440),
                |cast| &mut cast.settings.extension.minutes,
            )
            .label("Minutes per Extension")
            .help("By how much each extension moves the end of the session.")
            .unit("minutes")
            .doc("By how many minutes each extension moves the end of the session."),
        ],
    }
}

fn destination() -> Section {
    // Whether it leads back to this deployment is for the rules, which know where that is.
    let error_url = |text: &str| url_rules::error_url(text, &OwnUrls::default());
    Section {
        id: "where",
        title: "Destination",
        intro: "What the session opens, and where refused visitors are sent.",
        fields: vec![
            Field::nullable(
                "kasm_url",
                formatted(|| &text_format::SESSION_URL, url_rules::session_url),
                |cast| &mut cast.settings.kasm_url,
            )
            .label("Kasm URL")
            .help("Passed to the session as KASM_URL; browser images open it first.")
            .example("https://example.com/welcome")
            .doc(
                "The address that a session opens; at most 2,048 characters once it is \
                 written out.",
            ),
            Field::flag("allow_dynamic_kasm_url", false, |cast| {
                &mut cast.settings.dynamic_kasm_url
            })
            .label("Allow Dynamic Kasm URL Parameter")
            .help(
                "Visitors may pass an address with ?kasm_url=. They see it and confirm \
                 before it is opened.",
            )
            .doc("Whether the link's address may name what a session opens."),
            Field::list(
                "dynamic_kasm_url_hosts",
                MAX_REFERRERS,
                ReferrerRule::parse,
                |cast| &mut cast.settings.dynamic_kasm_url_hosts,
            )
            .label("Allowed hosts")
            .help("Addresses on other hosts are refused. Empty: every public host.")
            .example("example.com")
            .under("allow_dynamic_kasm_url")
            .doc("The hosts that it may name; empty is every public one."),
            Field::nullable(
                "error_url",
                formatted(|| &text_format::SECURE_URL, error_url),
                |cast| &mut cast.settings.error_url,
            )
            .label("Error URL")
            .help(
                "Refused visitors are sent here with the reason code, a reference and when \
                 to try again. Empty: the built-in error page.",
            )
            .example("https://example.com/sorry")
            .doc(
                "Where people are sent when a claim is refused; at most 2,048 characters \
                 once it is written out, and not a link of this host.",
            ),
        ],
    }
}

fn brand() -> Section {
    Section {
        id: "brand",
        title: "Brand",
        intro: "For visitors of this link. What is empty is taken from Settings.",
        fields: brand_form::fields(
            |cast: &mut CastFields| &mut cast.settings.brand.name,
            |cast| &mut cast.settings.brand.logo,
            |cast| &mut cast.settings.brand.color,
            |cast| &mut cast.settings.brand.links,
        ),
    }
}

fn hook() -> Section {
    Section {
        id: "hook",
        title: "Webhook",
        intro: "Tells a server of yours what happens at this link.",
        fields: hook_form::fields(
            |cast: &mut CastFields| &mut cast.settings.hook.enabled,
            |cast| &mut cast.settings.hook.url,
            |cast| &mut cast.settings.hook.events,
        ),
    }
}

fn admission_hook() -> Section {
    Section {
        id: "admission-hook",
        title: "Admission hook",
        intro: "Asks a server of yours whether a visitor may come in. The manual \
                \u{201c}Webhooks\u{201d} has the request and its answer.",
        fields: vec![
            Field::flag("admission_hook_enabled", false, |cast| {
                &mut cast.settings.admission_hook.enabled
            })
            .label("Ask before a session starts")
            .help(
                "The server is asked about each claim that all rules of the link admit, and before a \
                 session is reserved. The request is signed with the secret on the page \
                 \u{201c}Webhook\u{201d} of the link.",
            )
            .doc("Whether `admission_hook_url` is asked about each claim that all rules admit."),
            Field::nullable(
                "admission_hook_url",
                formatted(|| &text_format::SECURE_URL, url_rules::service_url),
                |cast| &mut cast.settings.admission_hook.url,
            )
            .label("Address of the server")
            .help("An https address on the internet. It answers with JSON: {\"allow\": true}.")
            .example("https://example.com/admission")
            .under("admission_hook_enabled")
            .doc("The server that is asked; required while `admission_hook_enabled` is on."),
            Field::defaulted(
                "admission_hook_timeout_ms",
                USUAL_MILLIS,
                whole(100..=u64::from(MOST_MILLIS)),
                |cast| &mut cast.settings.admission_hook.millis,
            )
            .label("Time to answer")
            .help("Every visitor waits for the answer, for so long at most.")
            .unit("milliseconds")
            .under("admission_hook_enabled")
            .doc("How long the server may take, in milliseconds."),
            Field::defaulted(
                "admission_hook_fails",
                Unanswered::Closed,
                parsed(Unanswered::parse),
                |cast| &mut cast.settings.admission_hook.unanswered,
            )
            .label("Without an answer")
            .help("What holds when the server is late or unreachable, or its answer cannot be read.")
            .widget(Widget::Choice(&[
                ("closed", "Nobody comes in"),
                ("open", "Visitors come in"),
            ]))
            .under("admission_hook_enabled")
            .doc("Whether visitors come in while the server gives no answer: closed or open."),
        ],
    }
}

fn appearance() -> Section {
    Section {
        id: "look",
        title: "Appearance",
        intro: "What visitors see around the session.",
        fields: vec![
            Field::nullable("title", line(1..=100), |cast| &mut cast.settings.title)
                .label("Title")
                .help(
                    "Shown on the link\u{2019}s page and in link previews. Empty: a default text.",
                )
                .example("Try our editor")
                .doc(
                    "What visitors read, on the link's page and in chats; null is the \
                     deployment's own words.",
                ),
            Field::nullable("summary", line(1..=300), |cast| &mut cast.settings.summary)
                .label("Summary")
                .help("One or two sentences below the title.")
                .example("A session of your own, for an hour.")
                .doc("What visitors read below the title; null is the deployment's own words."),
            Field::defaulted(
                "language",
                LinkLanguage::default(),
                parsed(LinkLanguage::parse),
                |cast| &mut cast.settings.language,
            )
            .label("Language")
            .help(
                "Of every page that visitors see, the session\u{2019}s panel included. Your own \
                 texts stay as you write them. An address with ?lang= comes before this.",
            )
            .widget(Widget::Choice(&[
                ("auto", "As the visitor\u{2019}s browser asks"),
                ("en", "English"),
                ("de", "Deutsch"),
                ("fr", "Fran\u{e7}ais"),
                ("es", "Espa\u{f1}ol"),
                ("pt", "Portugu\u{ea}s"),
                ("it", "Italiano"),
                ("ja", "\u{65e5}\u{672c}\u{8a9e}"),
                ("zh", "\u{7b80}\u{4f53}\u{4e2d}\u{6587}"),
                ("ar", "\u{627}\u{644}\u{639}\u{631}\u{628}\u{64a}\u{629}"),
            ]))
            .doc(
                "The language of the visitors\u{2019} pages; auto is the one that the browser asks \
                 for.",
            ),
            Field::nullable("contact", line(1..=200), |cast| &mut cast.settings.contact)
                .label("Contact")
                .help(
                    "Shown to visitors who are refused: whom they can ask. An e-mail address or \
                     an https address becomes a link. Empty: the contact in Settings.",
                )
                .example("helpdesk@example.com")
                .doc(
                    "Whom refused visitors can ask: an e-mail address, an https address or a \
                     few words; null is the deployment's contact.",
                ),
            Field::nullable(
                "background_url",
                formatted(|| &text_format::PICTURE_URL, url_rules::picture_url),
                |cast| &mut cast.settings.background_url,
            )
            .label("Background picture")
            .help("Shown behind the landing page.")
            .example("https://example.com/paper.jpg")
            .doc("A picture behind the landing page."),
            Field::flag("disable_control_panel", false, |cast| {
                &mut cast.settings.disable_control_panel
            })
            .label("Disable Control Panel")
            .help("Hides the control panel in the session.")
            .doc("Whether a session has no control panel."),
            Field::flag("disable_tips", false, |cast| {
                &mut cast.settings.disable_tips
            })
            .label("Disable Tips")
            .help("Hides the tips shown on entry.")
            .doc("Whether there are no tips on entry."),
            Field::nullable("session_notice", line(1..=NOTICE_CHARS), |cast| {
                &mut cast.settings.session_notice
            })
            .label("Notice in the Session")
            .help("One line above the session, as long as it runs: rules of use, or who to ask.")
            .example("Demo system: do not enter real data.")
            .doc("What the viewer shows above the session, as long as it runs."),
            Field::flag("watermark", false, |cast| &mut cast.settings.watermark)
                .label("Watermark")
                .help(
                    "Writes over the picture: the visitor, the link, the session\u{2019}s \
                     reference and the time. It shows where a screenshot comes from; programs \
                     that read the stream do not get it.",
                )
                .doc(
                    "Whether the viewer writes the visitor, the link, the session's reference \
                     and the time over the picture.",
                ),
            Field::flag("enable_sharing", false, |cast| {
                &mut cast.settings.enable_sharing
            })
            .label("Enable Sharing")
            .help("Sessions are shared from the start: anyone with the share link can watch.")
            .doc(
                "Whether every session has a link for those who only watch. The image must \
                 be one that can be only watched.",
            ),
            Field::flag("allow_anonymous_viewers", false, |cast| {
                &mut cast.settings.allow_anonymous_viewers
            })
            .label("Allow Anonymous Viewers")
            .help("Anyone with a share link can watch without signing in.")
            .doc("Whether those who watch need no login."),
            Field::flag("enable_lobby", false, |cast| {
                &mut cast.settings.enable_lobby
            })
            .label("Enable Lobby")
            .help("The owner lets each viewer in, and can switch that in the control panel.")
            .doc(
                "Whether those who open a share link wait until the owner of the session lets \
                 them in. Owners can switch that in the control panel.",
            ),
            Field::flag("disable_shared_fixed_resolution", false, |cast| {
                &mut cast.settings.disable_fixed_resolution
            })
            .label("Disable Shared Fixed Resolution")
            .help(
                "While shared, the picture follows the size of the owner\u{2019}s window \
                 instead of a fixed size.",
            )
            .doc("Whether the screen keeps its own size while others watch."),
            Field::flag("kasm_audio_default_on", true, |cast| {
                &mut cast.settings.audio_default_on
            })
            .label("Sound on at Start")
            .help("Where sound is allowed. Visitors can change it in the session.")
            .doc(
                "Whether sound is on when a session starts, where the permission audio \
                 allows it.",
            ),
            Field::flag("kasm_ime_mode_default_on", false, |cast| {
                &mut cast.settings.ime_mode_default_on
            })
            .label("Input Method on at Start")
            .help(
                "For visitors who type with the input method of their own machine, such as \
                 Chinese or Japanese.",
            )
            .doc(
                "Whether the streamed screen starts with the input method of the visitor's \
                 own machine switched on.",
            ),
        ],
    }
}
