//! The whole of session casting on one machine: the same functions, adapters and SDK clients as in
//! AWS, over endpoints of this process.
//!
//! # Layout
//! - [`stack`]: starts and stops every part; [`options`]: the command line; [`folder`]: the data
//!   folder
//! - the AWS services: [`database`] (DynamoDB), [`ecs`] (ECS), [`in_process`] (how both are
//!   called), [`bucket`] (S3), [`front`] (API Gateway and the edge), [`request_check`] (which
//!   requests it takes), [`lifecycle`] (EventBridge)
//! - what a new folder begins with: [`seed`], [`demo_app`], [`browser_app`], [`streamed_app`]; real
//!   containers: [`container_app`]; `app_process`: how these run
//! - what holds the commands of sessions: [`confine`]
//! - a look at a deployment from outside: [`doctor`]; its configuration as a file:
//!   [`configuration`]

mod app_process;
pub mod browser_app;
pub mod bucket;
pub mod configuration;
pub mod confine;
pub mod container_app;
pub mod database;
pub mod demo_app;
pub mod doctor;
pub mod ecs;
pub mod folder;
pub mod front;
pub mod in_process;
pub mod lifecycle;
pub mod login_provider;
pub mod options;
pub mod request_check;
pub mod seed;
pub mod server;
pub mod stack;
pub mod streamed_app;
