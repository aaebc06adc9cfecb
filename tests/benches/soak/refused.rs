//! Owns the visitors who must be refused, and what they must be told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::linger;
use crate::phone::{Lost, Phone};
use crate::steady::address;
use crate::world::{RATED, REGULAR, Tally, USED_UP, World};

/// Refused visitors, one after the other, until it is over.
pub async fn come(world: Arc<World>, mut rng: fastrand::Rng, over: Arc<AtomicBool>) {
    while !over.load(Ordering::Relaxed) {
        linger(&mut rng, 1.0).await;
        if let Err(Lost::Refused(status, code)) = visit(&world, &mut rng).await {
            world
                .tally
                .surprise(format!("a refusal with {status} {code}"));
        }
    }
}

async fn visit(world: &World, rng: &mut fastrand::Rng) -> Result<(), Lost> {
    let kind = rng.usize(..5);
    let from = if kind == 1 {
        REGULAR.to_owned()
    } else {
        address(rng)
    };
    let phone = Phone::new(world, from).map_err(|_| Lost::Failed)?;
    let unknown: String = (0..22).map(|_| rng.lowercase()).collect();
    let asked = match kind {
        0 => phone.open(USED_UP).await.err(),
        1 => {
            let ticket = phone.open(RATED).await?;
            phone.claim(RATED, &ticket).await.err()
        }
        2 => phone.open(&unknown).await.err(),
        3 => phone
            .read(&format!("/session/s{unknown}/status"), &unknown)
            .await
            .err(),
        _ => phone.read("/api/admin/casts", &unknown).await.err(),
    };
    match (kind, asked) {
        (0, Some(Lost::Refused(410, _)))
        | (2 | 3, Some(Lost::Refused(404, _)))
        | (4, Some(Lost::Refused(401, _))) => {}
        (1, Some(Lost::Refused(429, code))) if code == "ip-limit" => {}
        (_, Some(lost @ (Lost::Outage | Lost::Failed))) => return Err(lost),
        (_, asked) => world
            .tally
            .surprise(format!("refused visitor {kind}: {asked:?}")),
    }
    Tally::count(&world.tally.refused);
    Ok(())
}
