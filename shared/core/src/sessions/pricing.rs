//! Owns what a running session costs by the hour, at AWS's list prices in us-east-1 (Fargate on Linux and x86-64). Must not know who pays, or for how long.

use crate::image::{Image, ImageSource};

/// A vCPU for an hour, in millionths of a dollar.
const VCPU_HOUR: u64 = 40_480;
/// A GB of memory for an hour, in millionths of a dollar.
const GB_HOUR: u64 = 4_445;
/// A public address for an hour, in millionths of a dollar.
const ADDRESS_HOUR: u64 = 5_000;

/// What one session of an image costs in an hour, in millionths of a dollar; `None` when only its own task definition says how large it is.
pub fn session_hour(image: &Image) -> Option<u64> {
    match &image.settings.source {
        ImageSource::Container(source) => {
            let (cpu, memory) = (u64::from(source.cpu), u64::from(source.memory));
            Some(cpu * VCPU_HOUR / 1024 + memory * GB_HOUR / 1024 + ADDRESS_HOUR)
        }
        ImageSource::TaskDefinition(_) => None,
    }
}

/// vCPUs and GB of the largest task that Fargate runs.
const LARGEST: (u64, u64) = (16, 120);
/// A GB of ephemeral storage for an hour, in millionths of a dollar.
const STORAGE_HOUR: u64 = 111;
/// GB of it that cost nothing, and the most that a task can have.
const FREE_STORAGE: u64 = 20;
const MOST_STORAGE: u64 = 200;

/// What one session of an image costs in an hour at most, in millionths of a dollar: where nobody knows its size, as much as the largest.
pub fn session_hour_at_most(image: &Image) -> u64 {
    let (cpu, memory) = LARGEST;
    let storage = match &image.settings.source {
        ImageSource::Container(source) => source.ephemeral_storage.map_or(0, u64::from),
        ImageSource::TaskDefinition(_) => MOST_STORAGE,
    };
    session_hour(image).unwrap_or(cpu * VCPU_HOUR + memory * GB_HOUR + ADDRESS_HOUR)
        + storage.saturating_sub(FREE_STORAGE) * STORAGE_HOUR
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::image;

    #[test]
    fn hourly_price_follows_the_task_size() {
        for (cpu, memory, micros) in [
            (256, 512, 17_342),
            (1024, 2048, 54_370),
            (2048, 4096, 103_740),
        ] {
            let mut image = image(1);
            if let ImageSource::Container(source) = &mut image.settings.source {
                (source.cpu, source.memory) = (cpu, memory);
            }
            assert_eq!(session_hour(&image), Some(micros), "{cpu}/{memory}");
        }
        let mut own = image(1);
        own.settings.source = ImageSource::TaskDefinition("family:1".into());
        assert_eq!(session_hour(&own), None);
        assert_eq!(
            session_hour_at_most(&own),
            16 * 40_480 + 120 * 4_445 + 5_000 + 180 * 111
        );
        let mut roomy = image(1);
        if let ImageSource::Container(source) = &mut roomy.settings.source {
            source.ephemeral_storage = Some(30);
        }
        assert_eq!(session_hour_at_most(&roomy), 17_342 + 10 * 111);
    }
}
