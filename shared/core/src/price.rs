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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::image;

    #[test]
    fn an_hour_costs_what_its_size_costs() {
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
    }
}
