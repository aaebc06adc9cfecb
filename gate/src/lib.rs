//! The data plane: the gate, a small reverse proxy in front of every session's app, and the edge, which finds the gate a visitor belongs to.
//! Must not know casts, claims, databases or AWS: the edge believes tickets, the gate believes its edge, and neither anything else.
//!
//! # Layout
//! - the two halves: [`run`] (the life of the gate and its app, in the task) and [`edge`] (the router in front of all gates)
//! - between the two: [`credentials`] (the ticket cookie, and the headers with the edge's proof);
//!   where the edge looks for gates: [`places`]; which requests the gate refuses: [`admission`],
//!   [`entries`]; how it gets its secret: [`bootstrap`]
//! - how both pass requests on: [`proxy`], judged by [`hop`], served by [`server`] on [`workers`], within
//!   [`limits`]; bodies that break off: [`bodies`]
//! - the state of a session: [`session_state`], [`presence`]; its WebSockets: [`relay`],
//!   [`frames`], [`rfb`], [`picture`]; its log: [`output`]; the page around the app: `viewer`;
//!   commands inside: [`exec`]; cross-origin isolation: `isolation`;
//!   sound that is served beside the picture: `sound`; the connection test: [`echo`];
//!   the browser's DevTools, for programs: [`devtools`]
//! - the user's files, before and after: [`profile`]
//! - error pages: [`pages`]
//! - [`settings`] reads the environment, [`cli`] the command line

pub mod admission;
pub mod app;
pub mod bodies;
pub mod bootstrap;
pub mod cli;
pub mod cpu;
pub mod credentials;
pub mod devtools;
pub mod echo;
pub mod edge;
pub mod entries;
pub mod exec;
pub mod frames;
pub mod handler;
pub mod hop;
mod isolation;
pub mod limits;
pub mod output;
pub mod pages;
pub mod path_filter;
pub mod path_mode;
pub mod picture;
pub mod places;
pub mod presence;
pub mod profile;
pub mod proxy;
pub mod relay;
pub mod report;
pub mod rfb;
pub mod run;
pub mod selkies;
pub mod selkies_roles;
pub mod server;
pub mod session_host;
pub mod session_state;
pub mod settings;
mod sound;
mod tls;
mod viewer;
pub mod workers;
