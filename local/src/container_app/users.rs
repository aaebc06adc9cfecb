//! Owns which user a command in a container runs as: names are looked up in the container's own
//! lists, and what is handed to the engine are numbers that are not root's. Must not run anything.

use std::io::Read;

use anyhow::{Context, bail};
use bollard::query_parameters::DownloadFromContainerOptionsBuilder;
use casting_core::exec_user::{ExecUser, Id};
use futures_util::StreamExt;

use super::engine::Engine;

/// The longest list of users that is read, in bytes.
const LONGEST: usize = 1 << 20;

impl Engine {
    /// The user as numbers, `UID:GID`.
    pub(super) async fn user_in(&self, container: &str, text: &str) -> anyhow::Result<String> {
        let wanted = ExecUser::parse(text).with_context(|| {
            format!("{text:?} is root or no user, and what is run in a session is never root")
        })?;
        let users = self.file_in(container, "/etc/passwd").await;
        let groups = match &wanted.group {
            Some(Id::Name(_)) => self.file_in(container, "/etc/group").await,
            _ => String::new(),
        };
        numbers(&wanted, &users, &groups)
    }

    /// The text of a file in a container; nothing when it cannot be read, or is longer than any
    /// such file.
    async fn file_in(&self, container: &str, path: &str) -> String {
        let options = DownloadFromContainerOptionsBuilder::default()
            .path(path)
            .build();
        let mut archive = Vec::new();
        let mut pieces = self.0.download_from_container(container, Some(options));
        while let Some(Ok(piece)) = pieces.next().await {
            archive.extend_from_slice(&piece);
            if archive.len() > LONGEST {
                return String::new();
            }
        }
        let mut text = String::new();
        let mut archive = tar::Archive::new(archive.as_slice());
        if let Some(Ok(mut file)) = archive.entries().ok().and_then(|mut all| all.next()) {
            // What is no text is no list of users.
            let _ = file.read_to_string(&mut text);
        }
        text
    }
}

/// The numbers of a user and group by these lists.
fn numbers(wanted: &ExecUser, users: &str, groups: &str) -> anyhow::Result<String> {
    let line_of = |list: &str, at: usize, value: &str| -> Option<Vec<String>> {
        let mut lines = list
            .lines()
            .map(|line| line.split(':').map(str::to_owned).collect::<Vec<String>>());
        lines.find(|fields| fields.get(at).is_some_and(|field| field == value))
    };
    let number = |fields: &[String], at: usize| -> Option<u32> { fields.get(at)?.parse().ok() };
    let (uid, own_group) = match &wanted.user {
        Id::Number(uid) => {
            let line = line_of(users, 2, &uid.to_string());
            (*uid, line.and_then(|line| number(&line, 3)))
        }
        Id::Name(name) => {
            let line = line_of(users, 0, name);
            let line = line.with_context(|| format!("there is no user {name} in the container"))?;
            let uid = number(&line, 2);
            (
                uid.with_context(|| format!("the user {name} has no number"))?,
                number(&line, 3),
            )
        }
    };
    let gid = match &wanted.group {
        Some(Id::Number(gid)) => *gid,
        Some(Id::Name(name)) => line_of(groups, 0, name)
            .and_then(|line| number(&line, 2))
            .with_context(|| format!("there is no group {name} in the container"))?,
        // A number that no list names is its own group.
        None => own_group.unwrap_or(uid),
    };
    if uid == 0 || gid == 0 {
        bail!("the user is root in the container, and what is run in a session is never root");
    }
    Ok(format!("{uid}:{gid}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_names_resolve_to_non_root_ids() {
        let users = "root:x:0:0::/root:/bin/sh\ntoor:x:0:0::/:/bin/sh\napp:x:1000:1001::/:/bin/sh\nwheel:x:5:0::/:/bin/sh\nodd:x:0x0:1::/:/\n";
        let groups = "root:x:0:\nstaff:x:50:app\nadmin:x:0:\n";
        for (text, expected) in [
            ("app", Some("1000:1001")),
            ("1000", Some("1000:1001")),
            ("app:staff", Some("1000:50")),
            ("app:7", Some("1000:7")),
            ("4242", Some("4242:4242")),
            ("toor", None),
            ("wheel", None),
            ("5", None),
            ("odd", None),
            ("app:admin", None),
            ("app:nobody", None),
            ("nobody", None),
        ] {
            let wanted = ExecUser::parse(text).expect(text);
            let found = numbers(&wanted, users, groups).ok();
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }
}
