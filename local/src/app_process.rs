//! Owns how an app of this program runs as a process of its own: its async runtime, its exit code,
//! and its second form, in which it sends a request to the process that already runs. Must not know
//! what an app does.

use std::ffi::OsString;
use std::future::Future;
use std::process::ExitCode;

/// The argument with which a second process opens an address in the session of the first.
pub(crate) const OPEN: &str = "open";

/// Whether the first argument after the program's name is `verb`.
pub(crate) fn has_verb(arguments: impl IntoIterator<Item = OsString>, verb: &str) -> bool {
    let first = arguments.into_iter().nth(1);
    first.is_some_and(|argument| argument == verb)
}

/// Runs an app to its end. An error is printed after the app's name.
pub(crate) fn run(name: &str, app: impl Future<Output = anyhow::Result<ExitCode>>) -> ExitCode {
    let ended = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(app));
    ended.unwrap_or_else(|error| {
        eprintln!("{name}: {error:#}");
        ExitCode::FAILURE
    })
}

/// Runs an app with `settings`; with the argument [`OPEN`], runs `open` instead.
pub(crate) fn run_or_open<S>(
    name: &str,
    arguments: impl IntoIterator<Item = OsString>,
    settings: impl FnOnce() -> anyhow::Result<S>,
    open: impl AsyncFnOnce(&S) -> anyhow::Result<()>,
    app: impl AsyncFnOnce(&S) -> anyhow::Result<()>,
) -> ExitCode {
    let opens = has_verb(arguments, OPEN);
    run(name, async {
        let settings = settings()?;
        if opens {
            open(&settings).await?;
        } else {
            app(&settings).await?;
        }
        Ok(ExitCode::SUCCESS)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(arguments: &[&str]) -> (ExitCode, Vec<String>) {
        let calls = std::cell::RefCell::new(Vec::new());
        let note =
            |form: &str, settings: &str| calls.borrow_mut().push(format!("{form} {settings}"));
        let code = run_or_open(
            "test",
            arguments.iter().map(OsString::from),
            || Ok("settings"),
            async |settings: &&str| {
                note("open", settings);
                Ok(())
            },
            async |settings: &&str| {
                note("run", settings);
                anyhow::bail!("no screen")
            },
        );
        (code, calls.into_inner())
    }

    #[test]
    fn the_argument_open_selects_the_second_form() {
        for (arguments, code, call) in [
            (&["app"][..], ExitCode::FAILURE, "run settings"),
            (&["app", "other"], ExitCode::FAILURE, "run settings"),
            (&["app", "open"], ExitCode::SUCCESS, "open settings"),
        ] {
            assert_eq!(
                outcome(arguments),
                (code, vec![call.to_owned()]),
                "{arguments:?}"
            );
        }
    }
}
