use std::path::PathBuf;

use crate::limits::Limits;

/// How a [`crate::Host`] is set up.
#[derive(Clone, Debug, Default)]
pub struct HostConfig {
    /// The bounds on modules.
    pub limits: Limits,
    /// Where compiled native code is kept between processes; nowhere if none.
    pub cache_dir: Option<PathBuf>,
    /// Whether calls may use an instance again.
    pub isolation: Isolation,
    /// How NaNs that a module makes are treated.
    pub nan: NanPolicy,
}

/// Whether calls may use an instance again. A row yields the same either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Isolation {
    /// An instance returns to its module's pool after a call that succeeded.
    #[default]
    Reuse,
    /// Every call has an instance of its own.
    Fresh,
}

/// How NaNs that a module makes are treated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum NanPolicy {
    /// Made canonical when they cross the boundary, in and out.
    #[default]
    Boundary,
    /// Made canonical inside the module, too, after every float instruction:
    /// for modules that look at the bits of NaNs. Float-heavy code takes three
    /// to four times as long.
    Strict,
}
