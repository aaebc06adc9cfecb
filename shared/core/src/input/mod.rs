//! Owns how documents and forms are read and described: parsers, JSON schemas, and the fields of
//! each record. A field is declared once, in the table of its record; `field` says what a
//! declaration is.

#[cfg(test)]
mod agreement;
pub mod api_key_form;
pub mod cast_form;
pub(crate) mod client_form;
pub(crate) mod exec_form;
pub(crate) mod field;
pub mod form;
pub mod group_form;
pub mod image_form;
pub(crate) mod image_rules;
pub mod json_schema;
pub mod network_form;
pub(crate) mod open_hours_form;
pub(crate) mod reader;
pub mod resource;
pub mod shape;
pub mod staging_form;
pub mod system_form;
