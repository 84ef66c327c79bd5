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
    /// How NaNs that a module makes are treated; as the module's own record of
    /// it says (see [`NAN_SECTION`]), if none.
    pub nan: Option<NanPolicy>,
}

/// The custom section of a component that holds its NaN policy as text:
/// `boundary` or `strict`. The purity gate has it written by `unskew build`.
pub const NAN_SECTION: &str = "unskew:nan";

/// How one evaluation is cut into calls. What a row yields is the same for all
/// of them: the purity gate holds modules to that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallShape {
    /// Rows of one call at most; never more than [`Limits::rows_per_call`].
    pub rows_per_call: usize,
    /// Whether calls may use an instance again.
    pub isolation: Isolation,
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

impl NanPolicy {
    /// Its name, as it stands in [`NAN_SECTION`].
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Boundary => "boundary",
            Self::Strict => "strict",
        }
    }

    /// The policy of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Boundary, Self::Strict].into_iter().find(|policy| policy.as_str() == name)
    }
}
