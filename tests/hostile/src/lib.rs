//! Modules that try to hurt their host, and the proof that they cannot.

mod module;

pub use module::Module;
