//! Owns what sessions cost, by the hour and so far, at AWS's list prices in us-east-1 (Fargate on
//! Linux). Must not know who pays.

use crate::image::{Architecture, Image, ImageSource};
use crate::session::State;
use crate::summary::SessionSummary;
use crate::time::Timestamp;

/// A vCPU and a GB of memory for an hour, each in millionths of a dollar.
const fn prices(architecture: Architecture) -> (u64, u64) {
    match architecture {
        Architecture::X86_64 => (40_480, 4_445),
        Architecture::Arm64 => (32_380, 3_560),
    }
}
/// A public address for an hour, in millionths of a dollar.
const ADDRESS_HOUR: u64 = 5_000;

/// What a session of this size costs in an hour, in millionths of a dollar: CPU units, MiB of
/// memory, and a public address.
pub fn size_hour(cpu: u32, memory: u32, architecture: Architecture) -> u64 {
    let (cpu, memory) = (u64::from(cpu), u64::from(memory));
    let (vcpu_hour, gb_hour) = prices(architecture);
    cpu * vcpu_hour / 1024 + memory * gb_hour / 1024 + ADDRESS_HOUR
}

/// What one session of an image costs in an hour, in millionths of a dollar; `None` when only its
/// own task definition says how large it is.
pub fn session_hour(image: &Image) -> Option<u64> {
    match &image.settings.source {
        ImageSource::Container(source) => {
            Some(size_hour(source.cpu, source.memory, source.architecture))
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

/// The maximum cost of one session of an image per hour, in millionths of a dollar; that of the
/// largest size if the image's is unknown.
pub fn session_hour_at_most(image: &Image) -> u64 {
    let (cpu, memory) = LARGEST;
    let (vcpu_hour, gb_hour) = prices(Architecture::X86_64);
    let storage = match &image.settings.source {
        ImageSource::Container(source) => source.ephemeral_storage.map_or(0, u64::from),
        ImageSource::TaskDefinition(_) => MOST_STORAGE,
    };
    session_hour(image).unwrap_or(cpu * vcpu_hour + memory * gb_hour + ADDRESS_HOUR)
        + storage.saturating_sub(FREE_STORAGE) * STORAGE_HOUR
}

/// What a session of so many millionths of a dollar an hour has cost so far, in millionths.
pub fn cost_so_far(session: &SessionSummary, hour: u64, now: Timestamp) -> u64 {
    let Some(task) = &session.task else {
        return 0;
    };
    let began = task
        .times
        .pulling
        .or(task.times.created)
        .unwrap_or(session.created_at);
    let ended = match &session.state {
        State::Ended { at, .. } => *at,
        _ => now,
    };
    // Fargate counts from the fetching of the image, and a minute at least.
    hour * began.seconds_until(ended).max(60) / 3600
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{EndReason, Session, TaskRef, TaskStatus, TaskTimes};
    use crate::testing::{NOON, cast, session};

    #[test]
    fn cost_counts_from_the_image_to_the_end() {
        let hour = 3600;
        let mut session = session(&cast(1), 1);
        assert_eq!(cost_so_far(&(&session).into(), hour, NOON), 0);
        session.task = Some(TaskRef {
            arn: "arn:1".into(),
            status: TaskStatus::Pending,
            version: 1,
            times: TaskTimes::default(),
        });
        let at = |seconds| NOON.plus_seconds(seconds);
        let cost = |session: &Session, seconds| cost_so_far(&session.into(), hour, at(seconds));
        assert_eq!(cost(&session, 7200), 2 * hour);
        assert_eq!(cost(&session, 1), hour / 60, "a minute at least");
        if let Some(task) = &mut session.task {
            task.times.pulling = Some(at(3600));
        }
        assert_eq!(cost(&session, 7200), hour);
        let ended = session
            .ended(EndReason::TimeLimit, at(5400))
            .expect("lives");
        assert_eq!(cost(&ended, 90_000), hour / 2);
    }

    use crate::testing::image;

    #[test]
    fn hourly_price_follows_the_task_size() {
        for (architecture, cpu, memory, micros) in [
            (Architecture::X86_64, 256, 512, 17_342),
            (Architecture::X86_64, 1024, 2048, 54_370),
            (Architecture::X86_64, 2048, 4096, 103_740),
            (Architecture::Arm64, 1024, 2048, 44_500),
        ] {
            let mut image = image(1);
            if let ImageSource::Container(source) = &mut image.settings.source {
                (source.cpu, source.memory) = (cpu, memory);
                source.architecture = architecture;
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
