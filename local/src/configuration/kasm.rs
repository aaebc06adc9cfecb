//! Owns the translation of a Kasm Workspaces configuration (answers of its API, or its preseed
//! document) into a configuration document, and the report of what has no counterpart. Pure: from
//! documents to a document. Must not know files or deployments.
//!
//! Column names and their meaning are those of Kasm's public API and preseed documents (1.10 to
//! 1.19).

use std::collections::BTreeMap;
use std::fmt;

use casting_core::image_form;
use casting_core::permission::Permission;
use serde_json::{Map, Value, json};

#[cfg(test)]
#[path = "kasm_tests.rs"]
mod tests;

/// What is not in the configuration, or is otherwise than it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The record, such as `cast “Demo”`.
    pub record: String,
    /// Kasm's column.
    pub column: String,
    /// One sentence.
    pub detail: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.record, self.column, self.detail)
    }
}

/// A configuration and the report about it.
#[derive(Clone, Debug, Default)]
pub struct Imported {
    /// The configuration document.
    pub configuration: Value,
    /// What to look at.
    pub notes: Vec<Note>,
}

/// Translates these documents, which are taken together: each may have some of the sections.
///
/// # Errors
/// A sentence, when no section of Kasm's is in them.
pub fn import(documents: &[Value]) -> Result<Imported, String> {
    let source = Source::read(documents);
    if source.is_empty() {
        return Err(
            "There is nothing of Kasm in it: expected cast_configs, images, groups or \
             staging_configs."
                .to_owned(),
        );
    }
    let mut notes = Vec::new();
    let mut document = Map::from_iter([("version".to_owned(), json!(1))]);
    for (name, records) in [
        ("groups", source.groups(&mut notes)),
        ("images", source.images(&mut notes)),
        ("staging_configs", source.staging_configs(&mut notes)),
        ("casts", source.casts(&mut notes)),
    ] {
        if !records.is_empty() {
            document.insert(name.to_owned(), Value::Array(records));
        }
    }
    Ok(Imported {
        configuration: Value::Object(document),
        notes,
    })
}

type Row = Map<String, Value>;

/// Kasm's rows.
#[derive(Default)]
struct Source {
    groups: Vec<Row>,
    group_settings: Vec<Row>,
    images: Vec<Row>,
    staging_configs: Vec<Row>,
    casts: Vec<Row>,
}

impl Source {
    fn read(documents: &[Value]) -> Self {
        let mut source = Self::default();
        for document in documents {
            // Helm values have the sections two levels down.
            let within = ["/kasmConfig/config", "/config"];
            let root = within.iter().find_map(|path| document.pointer(path));
            let root = root.unwrap_or(document);
            for (names, rows) in [
                (&["groups", "group"][..], &mut source.groups),
                (
                    &["group_settings", "groupSettings", "settings"],
                    &mut source.group_settings,
                ),
                (&["images", "image"], &mut source.images),
                (
                    &["staging_configs", "staging_config"],
                    &mut source.staging_configs,
                ),
                (&["cast_configs", "cast_config"], &mut source.casts),
            ] {
                for name in names {
                    match root.get(*name) {
                        Some(Value::Array(found)) => {
                            rows.extend(found.iter().filter_map(Value::as_object).cloned());
                        }
                        Some(Value::Object(one)) if *name != "settings" => rows.push(one.clone()),
                        _ => {}
                    }
                }
            }
        }
        source
    }

    fn is_empty(&self) -> bool {
        self.groups.is_empty()
            && self.images.is_empty()
            && self.staging_configs.is_empty()
            && self.casts.is_empty()
    }

    fn groups(&self, notes: &mut Vec<Note>) -> Vec<Value> {
        let groups = self.groups.iter();
        let translated = groups.filter_map(|row| self.group(row, notes));
        translated.map(Value::Object).collect()
    }

    fn group(&self, row: &Row, notes: &mut Vec<Note>) -> Option<Row> {
        let name = text(row, "name")?;
        let mut reader = Reader::new(format!("group \u{201c}{name}\u{201d}"), row, notes);
        reader.ignore(&[
            "group_id",
            "name",
            "is_system",
            "key",
            "created",
            "program_id",
        ]);
        let mut group = Row::new();
        group.insert("name".to_owned(), json!(name));
        reader.copy(&mut group, "description", "description");
        if let Some(priority) = reader.whole("priority") {
            group.insert("priority".to_owned(), json!(priority));
        }
        if reader
            .take("permissions")
            .is_some_and(|value| !is_nothing(&value))
        {
            reader.note("permissions", "administrators get their rights here from roles of the login provider, or from API keys.");
        }
        let own = reader.take("settings").unwrap_or_default();
        let mut settings = settings_of(&own);
        let id = text(row, "group_id");
        for setting in &self.group_settings {
            let is_of = (id.is_some() && text(setting, "group_id") == id)
                || text(setting, "group_name").as_deref() == Some(name.as_str());
            if let (true, Some(setting_name)) = (is_of, text(setting, "name")) {
                settings.insert(
                    setting_name,
                    setting.get("value").cloned().unwrap_or_default(),
                );
            }
        }
        let client = client_settings(&mut reader, settings);
        if !client.is_empty() {
            group.insert("client_settings".to_owned(), Value::Object(client));
        }
        reader.rest();
        Some(group)
    }

    fn images(&self, notes: &mut Vec<Note>) -> Vec<Value> {
        let images = self.images.iter();
        let translated = images.filter_map(|row| image(row, notes));
        translated.map(Value::Object).collect()
    }

    /// The name of the image that a row refers to.
    fn image_of(&self, reader: &mut Reader<'_>) -> Option<String> {
        let id = reader.text("image_id");
        let names = ["image_friendly_name", "image_name"].map(|column| reader.text(column));
        let by_id = self
            .images
            .iter()
            .find(|row| id.is_some() && text(row, "image_id") == id)
            .and_then(image_name);
        let named = names.into_iter().flatten().next().map(|name| {
            let of_source = self
                .images
                .iter()
                .find(|row| text(row, "name").as_ref() == Some(&name));
            of_source.and_then(image_name).unwrap_or(name)
        });
        let found = by_id.or(named);
        if found.is_none() {
            reader.note(
                "image_id",
                "its image is not in the files: add the export of the images.",
            );
        }
        found
    }

    fn casts(&self, notes: &mut Vec<Note>) -> Vec<Value> {
        let casts = self.casts.iter();
        casts
            .map(|row| Value::Object(self.cast(row, notes)))
            .collect()
    }

    fn cast(&self, row: &Row, notes: &mut Vec<Note>) -> Row {
        let name = text(row, "casting_config_name").or_else(|| text(row, "name"));
        let name = name.or_else(|| text(row, "key")).unwrap_or_default();
        let mut reader = Reader::new(format!("cast \u{201c}{name}\u{201d}"), row, notes);
        reader.ignore(&["cast_config_id", "casting_config_name", "name", "created"]);
        let mut cast = Row::new();
        cast.insert("name".to_owned(), json!(name));
        reader.copy(&mut cast, "key", "key");
        if let Some(image) = self.image_of(&mut reader) {
            cast.insert("image".to_owned(), json!(image));
        }
        for (column, field) in [
            ("allow_resume", "allow_resume"),
            ("allow_anonymous", "allow_anonymous"),
            ("require_recaptcha", "require_captcha"),
            ("dynamic_kasm_url", "allow_dynamic_kasm_url"),
            ("dynamic_docker_network", "allow_dynamic_docker_network"),
            ("disable_control_panel", "disable_control_panel"),
            ("disable_tips", "disable_tips"),
            ("enable_sharing", "enable_sharing"),
            ("disable_fixed_res", "disable_shared_fixed_resolution"),
            ("kasm_audio_default_on", "kasm_audio_default_on"),
            ("kasm_ime_mode_default_on", "kasm_ime_mode_default_on"),
        ] {
            if let Some(on) = reader.flag(column) {
                cast.insert(field.to_owned(), json!(on));
            }
        }
        for (column, field) in [
            ("kasm_url", "kasm_url"),
            ("error_url", "error_url"),
            ("launcher_background_url", "background_url"),
        ] {
            reader.copy(&mut cast, column, field);
        }
        reader.group(&mut cast, self);
        reader.limits(&mut cast);
        if let Some(until) = reader.text("valid_until") {
            cast.insert("valid_until".to_owned(), json!(until));
        }
        let referrers = reader.list("allowed_referrers");
        if !referrers.is_empty() {
            cast.insert("restrict_to_referrers".to_owned(), json!(referrers));
        }
        reader.enforced(&mut cast);
        if reader
            .take("remote_app_configs")
            .is_some_and(|value| !is_nothing(&value))
        {
            reader.note("remote_app_configs", "there are no Windows servers here.");
        }
        reader.rest();
        cast
    }

    fn staging_configs(&self, notes: &mut Vec<Note>) -> Vec<Value> {
        let rows = self.staging_configs.iter().enumerate();
        rows.map(|(index, row)| Value::Object(self.staging_config(index, row, notes)))
            .collect()
    }

    fn staging_config(&self, index: usize, row: &Row, notes: &mut Vec<Note>) -> Row {
        let record = format!("staging config {}", index + 1);
        let mut reader = Reader::new(record, row, notes);
        reader.ignore(&[
            "staging_config_id",
            "num_current_sessions",
            "server_pool_id",
        ]);
        let image = self.image_of(&mut reader);
        let mut staging = Row::new();
        let name = image.as_deref().unwrap_or("Pool");
        // Pools have names here, each its own.
        staging.insert("name".to_owned(), json!(format!("{name} {}", index + 1)));
        if let Some(image) = image {
            staging.insert("image".to_owned(), json!(image));
        }
        for (column, field) in [
            ("num_sessions", "desired_sessions"),
            ("expiration", "expiration_hours"),
        ] {
            if let Some(number) = reader.number(column) {
                staging.insert(field.to_owned(), json!(number.ceil() as u64));
            }
        }
        for column in ["zone_id", "zone_name"] {
            if reader.take(column).is_some_and(|value| !is_nothing(&value)) {
                reader.note(
                    column,
                    "there are no zones here: a deployment is one region.",
                );
            }
        }
        let forbidden = reader.permissions();
        if Permission::ALL.into_iter().any(|permission| {
            forbidden
                .get(&permission)
                .is_some_and(|on| *on != permission.by_default())
        }) {
            reader.note(
                "allow_kasm_*",
                "a pool has the permissions of its group here: set its group.",
            );
        }
        reader.rest();
        staging
    }
}

/// The name of an image here.
fn image_name(row: &Row) -> Option<String> {
    text(row, "friendly_name").or_else(|| text(row, "name"))
}

fn image(row: &Row, notes: &mut Vec<Note>) -> Option<Row> {
    let name = image_name(row)?;
    let mut reader = Reader::new(format!("image \u{201c}{name}\u{201d}"), row, notes);
    reader.ignore(&[
        "image_id",
        "friendly_name",
        "name",
        "image_src",
        "image_type",
        "categories",
        "available",
        "uncompressed_size_bytes",
        "hash",
        "x_res",
        "y_res",
        "cpu_allocation_method",
        "pool_name",
        "zone_name",
        "docker_registry",
        "notes",
    ]);
    let mut image = Row::new();
    image.insert("name".to_owned(), json!(name));
    let kind = text(row, "image_type").unwrap_or_else(|| "Container".to_owned());
    let Some(source) = text(row, "name").filter(|_| kind == "Container") else {
        reader.note(
            "image_type",
            &format!("{kind} is not a container: left out."),
        );
        return None;
    };
    image.insert(
        "container_image".to_owned(),
        json!(with_registry(row, &source)),
    );
    image.insert("preset".to_owned(), json!(preset(&source)));
    reader.copy(&mut image, "description", "description");
    if let Some(on) = reader.flag("enabled") {
        image.insert("enabled".to_owned(), json!(on));
    }
    size(&mut reader, &mut image);
    if let Some(path) = reader.text("persistent_profile_path") {
        reader.note("persistent_profile_path", &format!("{path} was a place outside of the container; the folder in it is kept in S3 here: /home/kasm-user."));
        image.insert("profile_path".to_owned(), json!("/home/kasm-user"));
    }
    if let Some(limit) = reader
        .number("session_time_limit")
        .filter(|limit| *limit > 0.0)
    {
        image.insert("session_time_limit_seconds".to_owned(), json!(limit as u64));
    }
    if let Some(on) = reader.flag("allow_network_selection") {
        image.insert("allow_network_selection".to_owned(), json!(on));
    }
    let networks = reader.list("restrict_network_names");
    if reader.flag("restrict_to_network") == Some(true) && !networks.is_empty() {
        reader.note("restrict_network_names", &format!("networks are subnets and security groups here: make {} and name them in restrict_to_networks.", networks.join(", ")));
    }
    run_config(&mut reader, &mut image);
    let commands = reader.object("exec_config");
    let commands: Row = commands
        .into_iter()
        .filter(|(name, _)| ["first_launch", "go", "assign"].contains(&name.as_str()))
        .filter_map(|(name, command)| Some((name, exec(&mut reader, &command)?)))
        .collect();
    if !commands.is_empty() {
        image.insert("exec_config".to_owned(), Value::Object(commands));
    }
    for (column, detail) in [
        ("gpu_count", "there are no GPUs on Fargate."),
        (
            "volume_mappings",
            "there are no host volumes on Fargate; a folder of the user's is kept by profile_path.",
        ),
        ("launch_config", "there is no form before the launch."),
        (
            "hidden",
            "links are the only way to an image here, so nothing has to be hidden.",
        ),
        (
            "filter_policy_id",
            "there is no web filter: use a network with a filtering gateway.",
        ),
        (
            "docker_user",
            "put the credentials of the registry into Secrets Manager and name the secret in registry_secret.",
        ),
        ("docker_token", "see docker_user."),
        ("session_banner_id", "there are no banners."),
        (
            "override_egress_gateways",
            "a network decides how sessions reach the internet.",
        ),
    ] {
        if reader
            .take(column)
            .is_some_and(|value| !is_nothing(&value) && value != json!(0))
        {
            reader.note(column, detail);
        }
    }
    reader.rest();
    Some(image)
}

/// The image with the registry that Kasm keeps apart from its name.
fn with_registry(row: &Row, source: &str) -> String {
    let registry = text(row, "docker_registry").unwrap_or_default();
    let host = registry
        .trim_start_matches("https://")
        .trim_start_matches("http://")
        .trim_end_matches('/');
    let host = host.split('/').next().unwrap_or_default();
    if host.is_empty() || host.contains("docker.io") || source.starts_with(host) {
        source.to_owned()
    } else {
        format!("{host}/{source}")
    }
}

/// The family of an image by its name.
fn preset(source: &str) -> &'static str {
    let is = |words: &[&str]| words.iter().any(|word| source.contains(word));
    if source.contains("linuxserver/") {
        if is(&["chromium"]) {
            "linuxserver_chromium"
        } else if is(&["firefox"]) {
            "linuxserver_firefox"
        } else {
            "linuxserver"
        }
    } else if is(&["chrom", "edge", "brave", "vivaldi", "opera"]) {
        "kasmweb_chromium"
    } else {
        "kasmweb"
    }
}

/// Cores and memory, as the next size that Fargate offers.
fn size(reader: &mut Reader<'_>, image: &mut Row) {
    let (cores, bytes) = (reader.number("cores"), reader.number("memory_bytes"));
    if cores.is_none() && bytes.is_none() {
        return;
    }
    let units = (cores.unwrap_or(1.0) * 1024.0).ceil();
    let mib = (bytes.unwrap_or(0.0) / 1_048_576.0).ceil();
    match image_form::next_size(units as u32, mib as u32) {
        Some((cpu, memory)) => {
            image.insert("cpu".to_owned(), json!(cpu));
            image.insert("memory".to_owned(), json!(memory));
        }
        None => reader.note(
            "memory_bytes",
            "is more than Fargate offers; the preset's size is taken.",
        ),
    }
}

/// Environment and shared memory; what else Docker can do has no counterpart.
fn run_config(reader: &mut Reader<'_>, image: &mut Row) {
    let mut options = reader.object("run_config");
    if let Some(environment) = options.shift_remove("environment") {
        let variables: Row = match environment {
            Value::Object(variables) => variables,
            Value::Array(lines) => lines
                .iter()
                .filter_map(|line| line.as_str()?.split_once('='))
                .map(|(name, value)| (name.to_owned(), json!(value)))
                .collect(),
            _ => Row::new(),
        };
        let texts = variables
            .into_iter()
            .map(|(name, value)| (name, json!(plain(&value))));
        image.insert("environment".to_owned(), Value::Object(texts.collect()));
    }
    if options.shift_remove("shm_size").is_some() {
        image.insert("shared_memory".to_owned(), json!(true));
    }
    for name in options.keys() {
        reader.note(
            &format!("run_config.{name}"),
            "is an option of Docker that Fargate does not have.",
        );
    }
}

/// A command of `exec_config`. It runs as the app's user here, never as root.
fn exec(reader: &mut Reader<'_>, command: &Value) -> Option<Value> {
    let command = command.as_object()?;
    let mut kept = Row::new();
    for (name, value) in command {
        match name.as_str() {
            "cmd" | "workdir" | "environment" => _ = kept.insert(name.clone(), value.clone()),
            "user" if plain(value) == "root" || plain(value) == "0" => {
                reader.note(
                    "exec_config.user",
                    "commands never run as root here: they run as the app's user.",
                );
            }
            "user" => _ = kept.insert(name.clone(), value.clone()),
            other => reader.note(&format!("exec_config.{other}"), "has no counterpart."),
        }
    }
    kept.contains_key("cmd").then_some(Value::Object(kept))
}

/// The settings of a group, by name: a list of rows, or an object.
fn settings_of(value: &Value) -> BTreeMap<String, Value> {
    match value {
        Value::Array(rows) => rows
            .iter()
            .filter_map(Value::as_object)
            .filter_map(|row| Some((text(row, "name")?, row.get("value").cloned()?)))
            .collect(),
        Value::Object(settings) => settings
            .iter()
            .map(|(name, value)| {
                let value = value.get("value").unwrap_or(value);
                (name.clone(), value.clone())
            })
            .collect(),
        _ => BTreeMap::new(),
    }
}

/// Permissions and limits of a group's settings.
fn client_settings(reader: &mut Reader<'_>, settings: BTreeMap<String, Value>) -> Row {
    let (mut client, mut permissions) = (Row::new(), Row::new());
    for (name, value) in settings {
        let number = as_number(&value).filter(|number| *number > 0.0);
        let limit = match name.as_str() {
            // 0 is no limit in one version and an end at once in another.
            "session_time_limit" => Some(("session_time_limit_seconds", number)),
            "idle_disconnect" => Some(("idle_minutes", number)),
            "keepalive_expiration" => Some(("keepalive_seconds", number)),
            "max_kasms_per_user" => Some(("sessions_per_user", number)),
            _ => None,
        };
        if let Some((field, number)) = limit {
            if let Some(number) = number {
                client.insert(field.to_owned(), json!(number.ceil() as u64));
            }
            continue;
        }
        match (permission(&name), as_flag(&value)) {
            (Some(permission), Some(on)) => {
                _ = permissions.insert(permission.as_str().to_owned(), json!(on));
            }
            _ if name == "allow_persistent_profile" => {}
            _ => reader.note(&format!("settings.{name}"), "has no counterpart."),
        }
    }
    if !permissions.is_empty() {
        client.insert("permissions".to_owned(), Value::Object(permissions));
    }
    client
}

/// The permission that a column such as `allow_kasm_audio` is about.
fn permission(column: &str) -> Option<Permission> {
    Permission::parse(column.strip_prefix("allow_kasm_")?)
}

/// One row that is read column by column; what is left over is reported.
struct Reader<'a> {
    record: String,
    row: Row,
    notes: &'a mut Vec<Note>,
}

impl<'a> Reader<'a> {
    fn new(record: String, row: &Row, notes: &'a mut Vec<Note>) -> Self {
        Self {
            record,
            row: row.clone(),
            notes,
        }
    }

    fn note(&mut self, column: &str, detail: &str) {
        self.notes.push(Note {
            record: self.record.clone(),
            column: column.to_owned(),
            detail: detail.to_owned(),
        });
    }

    fn take(&mut self, column: &str) -> Option<Value> {
        self.row.shift_remove(column)
    }

    /// Columns that mean nothing elsewhere.
    fn ignore(&mut self, columns: &[&str]) {
        for column in columns {
            self.take(column);
        }
    }

    fn text(&mut self, column: &str) -> Option<String> {
        let value = self.take(column)?;
        value
            .as_str()
            .map(str::trim)
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    }

    fn copy(&mut self, to: &mut Row, column: &str, field: &str) {
        if let Some(text) = self.text(column) {
            to.insert(field.to_owned(), json!(text));
        }
    }

    fn flag(&mut self, column: &str) -> Option<bool> {
        as_flag(&self.take(column)?)
    }

    fn number(&mut self, column: &str) -> Option<f64> {
        as_number(&self.take(column)?)
    }

    fn whole(&mut self, column: &str) -> Option<u64> {
        self.number(column)
            .filter(|number| *number >= 0.0)
            .map(|number| number as u64)
    }

    /// A list of texts, or one text with commas or lines.
    fn list(&mut self, column: &str) -> Vec<String> {
        match self.take(column) {
            Some(Value::Array(values)) => values.iter().map(plain).collect(),
            Some(Value::String(text)) => {
                let parsed = serde_json::from_str::<Vec<String>>(&text);
                parsed.unwrap_or_else(|_| {
                    let words = text.split([',', '\n']).map(str::trim);
                    words
                        .filter(|word| !word.is_empty())
                        .map(str::to_owned)
                        .collect()
                })
            }
            _ => Vec::new(),
        }
    }

    /// An object, also where it was stored as a text.
    fn object(&mut self, column: &str) -> Row {
        match self.take(column) {
            Some(Value::Object(object)) => object,
            Some(Value::String(text)) => serde_json::from_str(&text).unwrap_or_default(),
            _ => Row::new(),
        }
    }

    /// The group of anonymous users.
    fn group(&mut self, cast: &mut Row, source: &Source) {
        let (id, name) = (self.text("group_id"), self.text("group_name"));
        let by_id = source
            .groups
            .iter()
            .find(|row| id.is_some() && text(row, "group_id") == id)
            .and_then(|row| text(row, "name"));
        match by_id.or(name) {
            Some(name) => _ = cast.insert("anonymous_user_group".to_owned(), json!(name)),
            None if id.is_some() => self.note(
                "group_id",
                "its group is not in the files: add the export of the groups.",
            ),
            None => {}
        }
    }

    /// Limit Total Session and Limit Requests Per IP.
    fn limits(&mut self, cast: &mut Row) {
        let (total, remaining) = (self.flag("limit_sessions"), self.whole("session_remaining"));
        if total == Some(true) {
            cast.insert("limit_total_sessions".to_owned(), json!(true));
            cast.insert(
                "sessions_remaining".to_owned(),
                json!(remaining.unwrap_or(0)),
            );
        }
        let per_address = self.flag("limit_ips") == Some(true);
        let (sessions, seconds) = (
            self.whole("ip_request_limit"),
            self.whole("ip_request_seconds"),
        );
        if !per_address {
            return;
        }
        match (sessions, seconds) {
            (Some(sessions @ 1..), Some(seconds @ 1..)) => {
                cast.insert("limit_requests_per_ip".to_owned(), json!(true));
                cast.insert("sessions_allowed".to_owned(), json!(sessions));
                cast.insert("within_seconds".to_owned(), json!(seconds));
            }
            _ => self.note(
                "limit_ips",
                "its numbers are 0, which would refuse everybody: the limit is left out.",
            ),
        }
    }

    /// The permissions of columns such as `allow_kasm_audio`.
    fn permissions(&mut self) -> BTreeMap<Permission, bool> {
        let columns: Vec<String> = self
            .row
            .keys()
            .filter(|column| permission(column).is_some())
            .cloned()
            .collect();
        columns
            .into_iter()
            .filter_map(|column| Some((permission(&column)?, self.flag(&column)?)))
            .collect()
    }

    /// The cast's own permissions, which count only with *enforce*.
    fn enforced(&mut self, cast: &mut Row) {
        let permissions = self.permissions();
        for column in [
            "allow_kasm_rdp_client_file_transfer_clipboard",
            "allow_kasm_rdp_map_local_drives",
            "allow_kasm_rdp_webauthn_passthrough",
            "allow_kasm_smart_card_passthrough",
        ] {
            if self.flag(column) == Some(true) {
                self.note(column, "there are no Windows servers here.");
            }
        }
        if self.flag("enforce_client_settings") == Some(true) {
            let permissions: Row = permissions
                .into_iter()
                .map(|(permission, on)| (permission.as_str().to_owned(), json!(on)))
                .collect();
            cast.insert("enforce_client_settings".to_owned(), json!(true));
            cast.insert(
                "client_settings".to_owned(),
                json!({ "permissions": permissions }),
            );
        }
    }

    /// Reports the columns that nothing has read.
    fn rest(mut self) {
        let left: Vec<String> = self
            .row
            .iter()
            .filter(|(_, value)| !is_nothing(value) && **value != json!(false))
            .map(|(column, _)| column.clone())
            .collect();
        for column in left {
            self.note(&column, "has no counterpart.");
        }
    }
}

fn text(row: &Row, column: &str) -> Option<String> {
    let text = row.get(column)?.as_str()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// Kasm writes flags as such, and as the texts *True* and *False*.
fn as_flag(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(on) => Some(*on),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

fn as_number(value: &Value) -> Option<f64> {
    value
        .as_f64()
        .or_else(|| value.as_str()?.trim().parse().ok())
        .filter(|number| number.is_finite())
}

/// Whether a column says nothing.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.trim().is_empty() || text == "{}" || text == "[]",
        Value::Array(values) => values.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}
