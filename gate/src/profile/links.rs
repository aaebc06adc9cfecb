//! Owns which symbolic links a profile may have: those that lead to something in it.

use std::path::{Component, Path};

/// Whether a link at `place` (relative to the profile) to `target` stays inside. It may first go
/// up, and then only down, so that no other link on its way can lead it elsewhere.
pub(super) fn stays_inside(place: &Path, target: &Path) -> bool {
    let mut height = place.components().count().saturating_sub(1);
    let mut going_up = true;
    for part in target.components() {
        match part {
            Component::ParentDir if going_up && height > 0 => height -= 1,
            Component::Normal(_) => going_up = false,
            Component::CurDir => {}
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symlinks_must_stay_inside_the_profile() {
        for (place, target, inside) in [
            ("a", "b", true),
            ("a/b", "../c", true),
            ("a/b", "./c/d", true),
            ("a", "../b", false),
            ("a/b", "../../c", false),
            ("a", "/etc/passwd", false),
            ("a/b/c", "x/../../../../etc", false),
        ] {
            assert_eq!(
                stays_inside(Path::new(place), Path::new(target)),
                inside,
                "{place} -> {target}"
            );
        }
    }
}
