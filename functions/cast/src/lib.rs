//! The cast function: a link is opened, a session is claimed. Owns how both are asked and answered; must not know the rules.

mod claim;
mod landing;

use casting_core::Casting;
use casting_core::ports::{Launcher, Store};
use casting_web::{Function, Obstacle, Problem, Reply, Request, RouteName, Visit, code::Mistake};

/// Answers a request.
pub async fn handle<S: Store, L: Launcher>(casting: &Casting<S, L>, request: Request) -> Reply {
    let visit = Visit::parse(&request, &*casting.entropy);
    let reply = answer(casting, &request, &visit).await.unwrap_or_else(|obstacle| visit.stopped(&obstacle));
    visit.finish(reply)
}

async fn answer<S: Store, L: Launcher>(casting: &Casting<S, L>, request: &Request, visit: &Visit) -> Result<Reply, Obstacle> {
    let matched = visit.route(Function::Cast)?;
    match matched.route.name {
        RouteName::OpenCast => {
            let opened = casting.open(matched.segment, &visit.visitor()?).await?;
            Ok(landing::reply(&opened, visit, &casting.terms))
        }
        RouteName::Claim => {
            visit.not_cross_site()?;
            let ticket = claim::read_ticket(request)?;
            let claimed = casting.claim(matched.segment, &ticket, &visit.visitor()?).await?;
            Ok(claim::reply(&claimed, visit, &casting.terms))
        }
        _ => Err(Problem::new(Mistake::NotFound).into()),
    }
}
