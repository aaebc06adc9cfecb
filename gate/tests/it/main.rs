//! The data plane over real connections: an app, a gate in front of it, an edge in front of that,
//! and a stub of the control plane. The modules are marked as tests, so that what only helps a test
//! may also give up with a word.

#[cfg(test)]
mod copying;
#[cfg(test)]
mod crowds;
#[cfg(test)]
mod devtools;
#[cfg(test)]
mod edge;
#[cfg(test)]
mod life;
#[cfg(test)]
mod passing_on;
#[cfg(test)]
mod profiles;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod selkies;
#[cfg(test)]
mod smuggling;
#[cfg(test)]
mod sound;
#[cfg(test)]
mod stage;
#[cfg(test)]
mod viewer;
#[cfg(test)]
mod watching;
