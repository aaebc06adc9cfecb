//! Owns the contract of the store port: what every adapter must do, as cases that run on any of them.
