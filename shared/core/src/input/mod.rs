//! Owns how documents and forms are read and described: parsers, JSON schemas, and the fields of
//! each record. A field is declared once, in the table of its record; `field` says what a
//! declaration is.

pub(crate) mod access_tier_form;
pub mod api_key_form;
pub(crate) mod brand_form;
pub mod cast_form;
pub(crate) mod client_form;
pub(crate) mod exec_form;
pub(crate) mod field;
pub(crate) mod field_parser;
pub mod form;
pub mod group_form;
pub(crate) mod hook_form;
pub mod image_form;
pub(crate) mod image_rules;
pub mod invitation_form;
pub mod json_schema;
pub mod network_form;
pub(crate) mod open_hours_form;
pub(crate) mod read_only;
pub mod resource;
#[cfg(test)]
mod schema_conformance;
pub mod settings_form;
pub mod staging_form;
pub mod text_format;
